import { failure } from "@tributary/core";
import {
  heldOutDigits,
  IMAGE_SIDE,
  readIdxFolder,
  type FleetDataset,
  type LabelledImages,
} from "@tributary/simulator";

/** What the fleet trains on, and what versions are measured on. */
export interface Dataset {
  /** "digits": every device draws its own; else these examples are dealt out. */
  readonly training: FleetDataset;
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
