import { asModelName, systemRandom } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { readExampleTable } from "@tributary/engine/examples";
import { beforeEach, describe, expect, test } from "vitest";
import { checkedExampleOptions } from "../../src/examples/checked-options.ts";
import type { ExamplePolicy } from "../../src/examples/example-policy.ts";
import { createExamples, type Examples } from "../../src/examples/examples.ts";
import { exportExamples } from "../../src/examples/export-examples.ts";
import { readDrafts } from "../../src/examples/read-drafts.ts";
import type { DeviceStore, StoredExample } from "../../src/store/device-store.ts";
import { createMemoryStore } from "../../src/testing/index.ts";

const digits = asModelName("digits");
const example = (label: number, value = label): StoredExample => ({
  inputs: [Uint8Array.of(value, 1)],
  label,
});
const labels = async (kept: Examples): Promise<unknown[]> =>
  (await kept.read(digits)).map(({ label }) => label);

let store: DeviceStore;
let clock: ReturnType<typeof createVirtualClock>;
let policy: ExamplePolicy | undefined;
const open = (): Examples =>
  createExamples({ store, env: { clock, random: systemRandom }, policyOf: () => policy });

beforeEach(() => {
  store = createMemoryStore();
  clock = createVirtualClock();
  policy = undefined;
});

describe("examples of a device", () => {
  test("of a page that loses some the rest stays, in the order in which all came", async () => {
    policy = checkedExampleOptions({ maxPerClass: 2 });
    const kept = open();
    await kept.add(digits, [example(1, 10), example(2, 20), example(1, 11), example(3, 30)]);
    await kept.add(digits, [example(1, 12)]);
    expect((await kept.read(digits)).map(({ inputs }) => inputs[0]![0])).toEqual([20, 11, 30, 12]);
    expect(await open().count(digits)).toBe(4);
  });

  test("what is too old is erased with the next use", async () => {
    policy = checkedExampleOptions({ maxAgeMs: 60_000 });
    const kept = open();
    await kept.add(digits, [example(1)]);
    clock.advance(59_999);
    await kept.add(digits, [example(2)]);
    expect(await kept.count(digits)).toBe(2);
    clock.advance(1);
    expect(await labels(kept)).toEqual([2]);
    expect(await store.examples.ids(digits)).toHaveLength(1);
    clock.advance(60_000);
    expect(await kept.count(digits)).toBe(0);
    expect(await store.examples.ids(digits)).toEqual([]);
  });

  test("a stricter policy holds for what is there already", async () => {
    const kept = open();
    await kept.add(
      digits,
      Array.from({ length: 300 }, (_, at) => example(at % 3, at % 256)),
    );
    policy = checkedExampleOptions({ maxPerClass: 10, sampling: "reservoir" });
    expect(await kept.count(digits)).toBe(30);
    policy = checkedExampleOptions({ maxExamples: 5 });
    expect(await open().count(digits)).toBe(5);
  });

  test("two tabs see each other's examples, and what one erases is gone for the other", async () => {
    const [here, there] = [open(), open()];
    await here.add(digits, [example(1)]);
    await there.add(digits, [example(2)]);
    expect(await labels(here)).toEqual([1, 2]);
    const revision = await here.revision(digits);
    expect(await there.revision(digits)).toBe(revision);
    await there.clear(digits);
    expect(await here.count(digits)).toBe(0);
    expect(await here.revision(digits)).not.toBe(revision);
  });

  test("a changed byte is found, as is a page of another model", async () => {
    const kept = open();
    await kept.add(digits, [example(1)]);
    const [page] = await store.examples.read(digits);
    if (!("sealed" in page!)) throw new Error("it is sealed");
    const other = asModelName("other");
    await store.examples.change(other, { add: [page.sealed], remove: [] });
    await expect(open().read(other)).rejects.toMatchObject({ code: "store/corrupt" });
    page.sealed[20]! ^= 1;
    await store.examples.change(digits, { add: [page.sealed], remove: [page.id] });
    await expect(open().count(digits)).rejects.toMatchObject({ code: "store/corrupt" });
    expect(await open().clearAll()).toEqual([
      { model: "digits", count: undefined, sizeBytes: page.sealed.length },
      { model: "other", count: undefined, sizeBytes: page.sealed.length },
    ]);
    expect(await open().count(digits)).toBe(0);
  });

  test("no byte of an example or its label lies open", async () => {
    const text = "a secret of some length";
    await open().add(digits, [
      { inputs: [new TextEncoder().encode(text)], label: { [text]: Float32Array.of(1) } },
    ]);
    const [page] = await store.examples.read(digits);
    expect(JSON.stringify(page)).not.toContain("secret");
    const bytes = "sealed" in page! ? page.sealed : new Uint8Array();
    expect(new TextDecoder("latin1").decode(bytes)).not.toContain("secret");
  });
});

describe("export", () => {
  const port = (name: string, dtype: "float32" | "int64", ...shape: number[]) => ({ name, dtype, shape });

  test("is a file that the agent reads: bytes as bytes, classes as int32", () => {
    const file = exportExamples([port("image", "float32", -1, 1, 2)], [example(3), example(4)]);
    const { count, inputs, labels: read } = readExampleTable(file!);
    expect(count).toBe(2);
    expect(inputs.get("image")).toMatchObject({ dtype: "uint8", shape: [2, 1, 2] });
    expect([...inputs.get("image")!.data]).toEqual([3, 1, 4, 1]);
    expect(read.get("")!.values).toEqual(Int32Array.of(3, 4));
  });

  test("holds bytes as shares where others are floats, and several labels, with what is missing said so", () => {
    const file = exportExamples(
      [port("x", "float32", -1, 1), port("ids", "int64", -1, 2)],
      [
        { inputs: [Uint8Array.of(255), BigInt64Array.of(1n, 2n)], label: { topic: 2 } },
        {
          inputs: [Float32Array.of(0.25), BigInt64Array.of(3n, 4n)],
          label: { topic: 1, score: Float32Array.of(0.5, 1) },
        },
      ],
    );
    const { inputs, labels: read } = readExampleTable(file!);
    expect([...inputs.get("x")!.data]).toEqual([1, 0.25]);
    expect([...inputs.get("ids")!.data]).toEqual([1n, 2n, 3n, 4n]);
    expect(read.get("topic")!.values).toEqual(Int32Array.of(2, 1));
    expect(read.get("score")!.values).toEqual(Float32Array.of(Number.NaN, Number.NaN, 0.5, 1));
  });

  test("of nothing is nothing", () => {
    expect(exportExamples([], [])).toBeUndefined();
  });
});

test("images become values as the model's processing says, and need a processing", async () => {
  const inputs = [{ name: "image", dtype: "float32", shape: [-1, 1, 1, 1] }] as const;
  const how = { kind: "image", layout: "nchw", channels: "gray", fit: "stretch", invert: true } as const;
  const white = {
    image: "raw",
    width: 1,
    height: 1,
    data: Uint8ClampedArray.of(255, 255, 255, 255),
  } as const;
  const drafts = [{ inputs: [white], label: 1 }];
  const processing = { inputs: { image: how } };
  const [read] = await readDrafts({ inputs, processing }, drafts, undefined);
  expect([...read!.inputs[0]!].map((value) => Math.abs(Number(value)) < 1e-6)).toEqual([true]);
  await expect(readDrafts({ inputs }, drafts, undefined)).rejects.toMatchObject({
    code: "runtime/invalid-example",
  });
});
