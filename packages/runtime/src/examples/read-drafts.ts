import { failure } from "@tributary/core";
import type { ExampleDraft } from "../device.ts";
import { isImageInput } from "../images/image-input.ts";
import { imageTensor, type ImageReader } from "../images/image-tensor.ts";
import type { ModelState } from "../runtime.ts";
import { MAX_EXAMPLE_BYTES, type StoredExample } from "../store/device-store.ts";

/**
 * Examples with values in the place of images, one after the other: an image takes more memory than what is kept of it.
 *
 * @throws `runtime/unsupported-image`, `runtime/invalid-example`
 */
export async function readDrafts(
  { inputs, processing }: Pick<ModelState, "inputs" | "processing">,
  drafts: readonly ExampleDraft[],
  openReader: (() => Promise<ImageReader>) | undefined,
): Promise<readonly StoredExample[]> {
  const examples: StoredExample[] = [];
  for (const { inputs: values, label } of drafts) {
    const read = [];
    for (const [at, value] of values.entries()) {
      if (!isImageInput(value)) {
        read.push(value);
        continue;
      }
      const port = inputs[at];
      const how = port && processing?.inputs?.[port.name];
      if (port === undefined || how?.kind !== "image") throw notForImages(port?.name ?? String(at));
      read.push((await imageTensor(port, how, value, await openReader?.())).data);
    }
    examples.push({ inputs: read, label });
  }
  const large = examples.find(({ inputs: each }) => sizeOf(each) > MAX_EXAMPLE_BYTES);
  if (large === undefined) return examples;
  throw failure(
    "runtime/invalid-example",
    `examples.add: an example has at most ${MAX_EXAMPLE_BYTES} bytes, its images have ${sizeOf(large.inputs)} as inputs`,
    { detail: { expected: MAX_EXAMPLE_BYTES, got: sizeOf(large.inputs) } },
  );
}

function sizeOf(values: StoredExample["inputs"]): number {
  return values.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

function notForImages(input: string): Error {
  return failure(
    "runtime/invalid-example",
    `examples.add: input "${input}" of the version that runs takes no images`,
    { detail: { input, got: "an image" } },
  );
}
