import { tensor, writeSafetensors, type Tensor } from "@tributary/tensor";
import { describe, expect, test } from "vitest";
import { exampleOf, inputColumns, readExampleTable } from "../src/examples.ts";

const ids = tensor("int64", [2, 3], BigInt64Array.of(1n, 2n, 3n, 4n, 2n ** 53n + 1n, 6n));
const mask = tensor("bool", [2, 3], Uint8Array.of(1, 1, 0, 1, 0, 0));
const file = (...tensors: [string, Tensor][]) => writeSafetensors(tensors);
const classes = tensor("int64", [2], BigInt64Array.of(4n, 0n));

describe("a file of examples", () => {
  test("has a tensor for each input, and gives rows in the model's order", () => {
    const table = readExampleTable(file(["mask", mask], ["ids", ids], ["labels", classes]));
    expect(table.count).toBe(2);
    const columns = inputColumns(table, ["ids", "mask"]);
    expect(exampleOf(table, columns, 1)).toEqual({
      // Truth values are numbers: bytes would be shares of 255 where an input holds floats.
      inputs: [BigInt64Array.of(4n, 2n ** 53n + 1n, 6n), Int8Array.of(1, 0, 0)],
      label: 0,
    });
  });

  test("names the labels of several outputs", () => {
    const scores = tensor("float32", [2, 2], Float32Array.of(0.5, 1, -2, 3));
    const table = readExampleTable(file(["ids", ids], ["labels.topic", classes], ["labels.a.b", scores]));
    const columns = inputColumns(table, ["ids"]);
    expect(exampleOf(table, columns, 0).label).toEqual({ topic: 4, "a.b": Float32Array.of(0.5, 1) });
  });

  test("may call the only input images, and give several yes-or-no labels a row as any type", () => {
    const images = tensor("uint8", [2, 2], Uint8Array.of(0, 255, 7, 8));
    const many = tensor("bool", [2, 3], Uint8Array.of(1, 0, 1, 0, 0, 1));
    const table = readExampleTable(file(["images", images], ["labels", many]));
    expect(exampleOf(table, inputColumns(table, ["pixels"]), 1)).toEqual({
      inputs: [Uint8Array.of(7, 8)],
      label: Float32Array.of(0, 0, 1),
    });
    expect(() => inputColumns(table, ["pixels", "more"])).toThrowError(
      expect.objectContaining({ code: "dataset/mismatch", message: expect.stringContaining('"pixels"') }),
    );
  });

  const large = tensor("int64", [2], BigInt64Array.of(1n, 2n ** 40n));
  test.each<[string, Uint8Array, string, string]>([
    ["no labels", file(["ids", ids]), "dataset/invalid", "labels"],
    ["no inputs", file(["labels", classes]), "dataset/invalid", "each input"],
    [
      "labels with and without names",
      file(["ids", ids], ["labels", classes], ["labels.topic", classes]),
      "dataset/invalid",
      "either",
    ],
    [
      "another number of rows",
      file(["ids", ids], ["labels", tensor("int32", [1], Int32Array.of(1))]),
      "dataset/mismatch",
      "ids 2",
    ],
    ["a class out of range", file(["ids", ids], ["labels", large]), "dataset/invalid", "out of range"],
    [
      "labels of half floats",
      file(["ids", ids], ["labels", tensor("float16", [2], new Uint16Array(2))]),
      "dataset/invalid",
      "float16",
    ],
    [
      "labels without rows",
      file(["ids", ids], ["labels", tensor("int32", [], new Int32Array(1))]),
      "dataset/invalid",
      "labels",
    ],
    ["nothing at all", new Uint8Array(3), "safetensors/truncated", ""],
  ])("with %s is refused", (_, bytes, code, message) => {
    expect(() => readExampleTable(bytes)).toThrowError(
      expect.objectContaining({ code, message: expect.stringContaining(message) }),
    );
  });
});
