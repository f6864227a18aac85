import { concatBytes, decodeHex, encodeUtf8, sha256, type DeviceId, type TaskName } from "@tributary/core";

const PURPOSE = "tributary-held-out-v1";
const FRACTION_DIGITS = 12;

/**
 * Whether a device measures for a task's gate, and never trains in it: the first 48 bits of
 * SHA-256(purpose || device id || task), as a fraction, are below the plan's share. Device ids are hashes of device keys, and
 * the share is signed: device and coordinator come to the same answer, and neither chooses it.
 *
 * @param share from 0 to 1
 */
export function isHeldOut(device: DeviceId, task: TaskName, share: number): boolean {
  const digest = sha256(concatBytes(encodeUtf8(PURPOSE), decodeHex(device), encodeUtf8(task)));
  return Number.parseInt(digest.slice(0, FRACTION_DIGITS), 16) / 16 ** FRACTION_DIGITS < share;
}
