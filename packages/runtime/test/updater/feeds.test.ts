import type { GraphPort } from "@tributary/protocol";
import { tensor } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import type { FeedValue } from "../../src/runtime.ts";
import { toFeeds } from "../../src/updater/feeds.ts";
import { sampleFeeds } from "@tributary/engine/sample-feeds";

const ports: readonly GraphPort[] = [
  { name: "ids", dtype: "int64", shape: [-1, 3] },
  { name: "mask", dtype: "bool", shape: [-1, 3] },
];
const mask = [true, true, false];

describe("feeds by the names of the inputs", () => {
  test("flat values become batches of each input's element type; tensors stay what they are", () => {
    const own = tensor("int64", [2, 3], BigInt64Array.of(1n, 2n, 3n, 4n, 5n, 6n));
    const feeds = toFeeds(ports, { mask: [...mask, 1, 0, 1] as number[], ids: own });
    expect(feeds["ids"]).toEqual(own);
    expect(feeds["mask"]).toEqual(tensor("bool", [2, 3], Uint8Array.of(1, 1, 0, 1, 0, 1)));
    expect(toFeeds(ports, { ids: Int32Array.of(7, 8, 9), mask })["ids"]).toEqual(
      tensor("int64", [1, 3], BigInt64Array.of(7n, 8n, 9n)),
    );
  });

  test.each<[string, Record<string, unknown>, string, object]>([
    ["a missing input", { ids: [1, 2, 3] }, "engine/missing-input", { input: "mask" }],
    ["an unknown input", { ids: [1, 2, 3], mask, idz: [1] }, "engine/unknown-input", { input: "idz" }],
    [
      "an unknown tensor",
      { ids: [1, 2, 3], mask, x: tensor("bool", [], Uint8Array.of(1)) },
      "engine/unknown-input",
      { input: "x" },
    ],
    [
      "a tensor of another type",
      { ids: tensor("int32", [1, 3], Int32Array.of(1, 2, 3)), mask },
      "engine/input-mismatch",
      { input: "ids", expected: "int64", got: "int32" },
    ],
    [
      "a tensor of another shape",
      { ids: tensor("int64", [1, 4], new BigInt64Array(4)), mask },
      "engine/input-mismatch",
      { input: "ids", expected: "[*,3]", got: "[1,4]" },
    ],
    [
      "values that do not fill rows",
      { ids: [1, 2], mask },
      "engine/input-mismatch",
      { input: "ids", expected: "multiples of 3 values (shape [-1,3])", got: "2" },
    ],
    [
      "a value that does not fit",
      { ids: [1, 0.5, 2], mask },
      "engine/input-mismatch",
      { input: "ids", expected: "int64 values", got: "0.5 at index 1" },
    ],
    [
      "batches of different sizes",
      { ids: [1, 2, 3, 4, 5, 6], mask },
      "engine/input-mismatch",
      { input: "mask", expected: '2 rows, as "ids" has', got: "1" },
    ],
    [
      "something else",
      { ids: "1 2 3", mask },
      "engine/input-mismatch",
      { input: "ids", expected: "a tensor or flat values", got: "string" },
    ],
  ])("%s is refused: what, where, expected, got", (_, feeds, code, detail) => {
    expect(() => toFeeds(ports, feeds as Record<string, FeedValue>)).toThrowError(
      expect.objectContaining({ code, detail }),
    );
  });

  test("flat values fit only where the batch alone is free, and a fixed batch as it is", () => {
    const free: GraphPort = { name: "x", dtype: "float32", shape: [-1, -1] };
    expect(() => toFeeds([free], { x: [1, 2] })).toThrowError(
      expect.objectContaining({
        code: "engine/input-mismatch",
        message: expect.stringContaining("tensor {"),
      }),
    );
    const scalar: GraphPort = { name: "x", dtype: "float32", shape: [] };
    expect(() => toFeeds([scalar], { x: [1] })).toThrowError(
      expect.objectContaining({ code: "engine/input-mismatch" }),
    );
    expect(toFeeds([scalar], { x: tensor("float32", [], Float32Array.of(1)) })["x"]!.shape).toEqual([]);
    const fixed: GraphPort = { name: "x", dtype: "float32", shape: [2, 1] };
    expect(toFeeds([fixed], { x: [1, 2] })["x"]!.shape).toEqual([2, 1]);
    expect(() => toFeeds([fixed], { x: [1] })).toThrowError(
      expect.objectContaining({ code: "engine/input-mismatch" }),
    );
  });
});

test("the sample for the check of engines fits every input, whatever its type", () => {
  const all = (["float32", "float64", "float16", "int64", "int32", "int8", "uint8", "bool"] as const).map(
    (dtype): GraphPort => ({ name: dtype, dtype, shape: [-1, 2, -1] }),
  );
  const feeds = sampleFeeds([...all, { name: "rate", dtype: "float32", shape: [] }], "seed");
  // Through the same check as an app's feeds.
  expect(toFeeds([...all, { name: "rate", dtype: "float32", shape: [] }], feeds)).toEqual(feeds);
  expect(feeds["float32"]!.shape).toEqual([1, 2, 8]);
  expect([...feeds["float64"]!.data].every((value) => Number(value) >= 0 && Number(value) < 1)).toBe(true);
  for (const dtype of ["int64", "int32", "int8", "uint8", "bool"]) {
    const values = Array.from(feeds[dtype]!.data as ArrayLike<number | bigint>, Number);
    expect(values.slice(0, 4), dtype).toEqual([1, 0, 1, 0]);
  }
  expect([...feeds["float16"]!.data].every((bits) => Number(bits) >= 0x3800 && Number(bits) < 0x3c00)).toBe(
    true,
  );
});

test("tensors are copied, unless their memory is given", () => {
  const x: GraphPort = { name: "x", dtype: "float32", shape: [-1, 2] };
  const given = tensor("float32", [1, 2], Float32Array.of(1, 2));
  const flat = Float32Array.of(1, 2);
  const own = toFeeds([x], { x: given })["x"]!;
  given.data[0] = 9;
  expect(own.data).toEqual(Float32Array.of(1, 2));
  expect(toFeeds([x], { x: given }, "given")["x"]!.data).toBe(given.data);
  expect(toFeeds([x], { x: flat }, "given")["x"]!.data).toBe(flat);
});
