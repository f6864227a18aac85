import { buildLinear, describeModel } from "@tributary/onnx";
import { tensor, writeSafetensors } from "@tributary/tensor";
import { expect, test } from "vitest";
import { readCalibration } from "../src/calibration-file.ts";

const model = describeModel(buildLinear({ seed: "calibration" }));
const pixels = Uint8Array.from({ length: 20 * 784 }, (_, i) => i % 256);

test("images in bytes become feeds of 0 to 1, labels go with them", () => {
  const file = writeSafetensors([
    ["images", tensor("uint8", [20, 784], pixels)],
    ["labels", tensor("int32", [20], new Int32Array(20).fill(3))],
  ]);
  const { examples, count, labels } = readCalibration(file, model);
  expect(count).toBe(16);
  expect(labels).toHaveLength(16);
  expect(examples).toHaveLength(1);
  expect(examples[0]!["image"]!.shape).toEqual([16, 1, 28, 28]);
  expect(examples[0]!["image"]!.data[255]).toBe(1);
});

test("tensors become feeds of each input's element type", () => {
  const input = model.inputs[0]!;
  const several = {
    ...model,
    inputs: [
      { ...input, name: "ids", elementType: "int64" as const, shape: ["batch", 2] },
      { ...input, name: "mask", elementType: "float32" as const, shape: ["batch", 2] },
    ],
  };
  const ids = tensor("int32", [2, 2], Int32Array.of(1, 2, 3, 4));
  const mask = tensor("bool", [2, 2], Uint8Array.of(1, 0, 1, 1));
  const { examples } = readCalibration(
    writeSafetensors([
      ["ids", ids],
      ["mask", mask],
    ]),
    several,
  );
  expect(examples).toEqual([
    {
      ids: tensor("int64", [2, 2], BigInt64Array.of(1n, 2n, 3n, 4n)),
      mask: tensor("float32", [2, 2], Float32Array.of(1, 0, 1, 1)),
    },
  ]);
  const shares = writeSafetensors([
    ["ids", tensor("float32", [2, 2], Float32Array.of(1, 2, 3, 0.5))],
    ["mask", mask],
  ]);
  expect(() => readCalibration(shares, several)).toThrow(/"ids" .* float32, .* int64/);
});

test("a file without the input's tensor is refused by name", () => {
  const file = writeSafetensors([["pixels", tensor("uint8", [20, 784], pixels)]]);
  expect(() => readCalibration(file, model)).toThrow(/no tensor "image"; it has pixels/);
});

test("too few examples for a fixed batch are refused", () => {
  const file = writeSafetensors([["images", tensor("uint8", [20, 784], pixels)]]);
  const fixed = { ...model, inputs: [{ ...model.inputs[0]!, shape: [32, 1, 28, 28] }] };
  expect(() => readCalibration(file, fixed)).toThrow(/20 examples, and the model takes 32 at once/);
});
