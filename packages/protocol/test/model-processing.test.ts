import { describe, expect, test } from "vitest";
import { imageSizes, parseProcessing } from "@tributary/protocol";

const model = {
  inputs: [
    { name: "image", dtype: "float32", shape: [-1, 3, 32, 48] },
    { name: "ids", dtype: "int64", shape: [-1, 8] },
    { name: "mask", dtype: "float32", shape: [-1, -1] },
    { name: "lengths", dtype: "int64", shape: [-1] },
  ],
  outputs: [
    { name: "class", dtype: "int64", shape: [-1] },
    { name: "logits", dtype: "float32", shape: [-1, 2] },
  ],
};
const image = { kind: "image", layout: "nchw", channels: "rgb", fit: "cover" };
const text = { kind: "text", tokenizer: "words/en", maxTokens: 8 };
const output = { name: "logits", activation: "softmax", topK: 2 };
const parse = (document: unknown) =>
  parseProcessing(new TextEncoder().encode(JSON.stringify(document)), model);

test("a document that fits its model is read as it is", () => {
  const document = {
    inputs: {
      image: { ...image, invert: true, mean: [0.5], standardDeviation: [0.2, 0.2, 0.3] },
      ids: { ...text, padId: 3, mask: "mask" },
    },
    output,
    labels: ["cat", "dog"],
  };
  expect(parse(document)).toEqual(document);
  expect(parse({})).toEqual({});
});

test.each([
  ["an input that is none", { inputs: { picture: image } }, "/inputs/picture"],
  ["an input that is no image", { inputs: { ids: image } }, "/inputs/ids"],
  ["another number of channels", { inputs: { image: { ...image, channels: "gray" } } }, "/inputs/image"],
  ["another layout", { inputs: { image: { ...image, layout: "nhwc" } } }, "/inputs/image"],
  ["two means of three channels", { inputs: { image: { ...image, mean: [0, 0] } } }, "/inputs/image"],
  ["a standard deviation of 0", { inputs: { image: { ...image, standardDeviation: [0] } } }, "/inputs/image"],
  ["text for what is no ids", { inputs: { mask: text } }, "/inputs/mask"],
  ["text without an axis of tokens", { inputs: { lengths: text } }, "/inputs/lengths"],
  ["another number of tokens", { inputs: { ids: { ...text, maxTokens: 9 } } }, "/inputs/ids"],
  ["a mask that is none of the inputs", { inputs: { ids: { ...text, mask: "masc" } } }, "/inputs/ids"],
  ["a mask that is the ids", { inputs: { ids: { ...text, mask: "ids" } } }, "/inputs/ids"],
  ["type ids that are no integers", { inputs: { ids: { ...text, typeIds: "mask" } } }, "/inputs/ids"],
  ["a tokenizer without a name", { inputs: { ids: { ...text, tokenizer: "" } } }, "/inputs/ids"],
  ["an output without scores", { output: { ...output, name: "class" } }, "/output/name"],
  ["labels of other classes", { labels: ["one"] }, "/labels"],
  ["a field nobody knows", { resize: "cover" }, ""],
])("%s is refused, with its place", (_, document, path) => {
  let error: { readonly code?: string; readonly detail?: { readonly path?: string } } = {};
  try {
    parse(document);
  } catch (thrown) {
    error = thrown as typeof error;
  }
  expect(error.code).toBe("protocol/invalid-document");
  expect(error.detail?.path).toContain(path);
});

describe("sizes of an image", () => {
  test.each([
    ["nchw", [-1, 3, 32, 48], { channels: 3, height: 32, width: 48 }],
    ["nhwc", [1, 32, 48, 1], { channels: 1, height: 32, width: 48 }],
    ["nchw", [-1, 3, -1, -1], undefined],
    ["nchw", [-1, 784], undefined],
  ] as const)("%s %j", (layout, shape, sizes) => {
    expect(imageSizes(layout, shape)).toEqual(sizes);
  });
});
