import { join } from "node:path";
import { createSha256, decodeUtf8, encodeUtf8 } from "@tributary/core";
import type { ModelHandle } from "../runtime.ts";
import { MAX_EXAMPLES } from "../store/device-store.ts";
import { readFileIfAny, writeFileAtomic } from "./atomic-file.ts";

/** Labelled inputs of one shape, flat: bytes are read as value / 255. */
export interface ExampleSet {
  readonly images: Uint8Array | Float32Array;
  /** Classes, or numbers, `labelSize` for each example. */
  readonly labels: ArrayLike<number>;
  /** @defaultValue 1 */
  readonly labelSize?: number;
}

const MARKER = "examples.sha256";

/**
 * Puts a set of examples on a device, once: a restart finds it there, another set replaces it. Of more than a device
 * keeps (`MAX_EXAMPLES`) the last are taken.
 * @returns how many examples the device has now
 */
export async function giveExamples(model: ModelHandle, dataDir: string, set: ExampleSet): Promise<number> {
  const { images, labels, labelSize = 1 } = set;
  const count = labels.length / labelSize;
  const width = count === 0 ? 0 : images.length / count;
  if (!Number.isInteger(width)) {
    throw new RangeError(`examples: ${images.length} values do not divide by ${count} examples`);
  }
  const kept = Math.min(count, MAX_EXAMPLES);
  const fingerprint = fingerprintOf(set);
  const marker = join(dataDir, MARKER);
  const given = await readFileIfAny(marker);
  if (given !== undefined && decodeUtf8(given) === fingerprint && (await model.examples.count()) === kept) {
    return kept;
  }
  await model.examples.clear();
  await model.examples.addAll(
    Array.from({ length: kept }, (_, i) => {
      const at = count - kept + i;
      const own = Array.from({ length: labelSize }, (__, j) => labels[at * labelSize + j]!);
      return {
        [model.state.input.name]: images.subarray(at * width, (at + 1) * width),
        label: labelSize === 1 ? own[0]! : own,
      };
    }),
  );
  await writeFileAtomic(marker, encodeUtf8(fingerprint));
  return await model.examples.count();
}

function fingerprintOf({ images, labels }: ExampleSet): string {
  const hash = createSha256();
  hash.update(new Uint8Array(images.buffer, images.byteOffset, images.byteLength));
  const numbers = Float64Array.from(labels);
  hash.update(new Uint8Array(numbers.buffer));
  return hash.digest();
}
