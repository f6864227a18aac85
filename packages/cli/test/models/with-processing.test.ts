import { buildDigitsCnn, decodeModel } from "@tributary/onnx";
import { PROCESSING_KEY } from "@tributary/protocol";
import { expect, test } from "vitest";
import { withProcessing } from "../../src/models/with-processing.ts";

const onnx = buildDigitsCnn({ seed: "processing" });
const bytes = (document: unknown) => new TextEncoder().encode(JSON.stringify(document));
const image = { kind: "image", layout: "nchw", channels: "gray", fit: "contain" };

test("a model carries its processing in its metadata, one document at a time, and is otherwise the same", () => {
  const first = withProcessing(onnx, bytes({ inputs: { image } }));
  const second = withProcessing(first, bytes({ output: { name: "logits", activation: "softmax" } }));
  const [before, after] = [decodeModel(onnx), decodeModel(second)];
  expect(after.graph).toEqual(before.graph);
  expect(after.metadata).toEqual([
    ...before.metadata,
    { key: PROCESSING_KEY, value: JSON.stringify({ output: { name: "logits", activation: "softmax" } }) },
  ]);
});

test("a document that does not fit is refused before anything is sent", () => {
  const wrong = bytes({ inputs: { image: { ...image, channels: "rgb" } } });
  expect(() => withProcessing(onnx, wrong)).toThrowError(
    expect.objectContaining({
      code: "protocol/invalid-document",
      message: expect.stringContaining("rgb has 3 channels, the input 1"),
    }),
  );
});
