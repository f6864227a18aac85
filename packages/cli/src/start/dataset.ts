import { failure } from "@tributary/core";
import { heldOutDigits, IMAGE_SIDE, readIdxFolder } from "@tributary/simulator";
import { tensor, writeSafetensors } from "@tributary/tensor";

/** Images as bytes, 28x28 each, and their labels. */
export interface LabelledImages {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

/** What the fleet trains on, and what versions are measured on. */
export interface Dataset {
  /** "digits": every device draws its own; else these examples are dealt out. */
  readonly training: "digits" | LabelledImages;
  readonly heldOut: LabelledImages;
}

/** How many examples versions are measured on: enough for a tenth of a percent, cheap enough for every round. */
const HELD_OUT_COUNT = 2_000;

/**
 * The built-in digits, or a folder of IDX files.
 *
 * @throws dataset/* naming the file
 */
export async function loadDataset(folder: string | undefined): Promise<Dataset> {
  if (folder === undefined) {
    return { training: "digits", heldOut: heldOutDigits({ seed: "held-out", count: HELD_OUT_COUNT }) };
  }
  const { train, test } = await readIdxFolder(folder);
  if (train.rows !== IMAGE_SIDE || train.columns !== IMAGE_SIDE) {
    throw failure(
      "dataset/mismatch",
      `${folder}: images are ${train.rows} x ${train.columns}, the digits model reads ${IMAGE_SIDE} x ${IMAGE_SIDE}`,
    );
  }
  return { training: train, heldOut: test };
}

/** The held-out examples as a task names them: safetensors with `images` (uint8) and `labels` (int32). */
export function heldOutFile({ heldOut }: Dataset): Uint8Array<ArrayBuffer> {
  const count = heldOut.labels.length;
  return writeSafetensors([
    ["images", tensor("uint8", [count, 1, IMAGE_SIDE, IMAGE_SIDE], heldOut.images)],
    ["labels", tensor("int32", [count], Int32Array.from(heldOut.labels))],
  ]);
}
