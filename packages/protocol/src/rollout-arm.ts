/** Who belongs to a rollout, without the schemas of its documents: what devices need that read checked ones. */
import { concatBytes, decodeHex, digestOf, encodeUtf8, type Digest } from "@tributary/core";
import { invalidDocument } from "./json.ts";
import type { Rollout, RolloutArm } from "./rollout.ts";

/** Shares of a rollout are whole ten-thousandths of its devices. */
export const ROLLOUT_SHARE_UNITS = 10_000;

const BUCKET_PURPOSE = "tributary-rollout-v1";
const DEVICE_PURPOSE = "tributary-rollout-device-v1";
const FRACTION_DIGITS = 12;

/** The whole manifest of an arm's version. */
export function rolloutManifestPath(model: string, rollout: string, arm: string): string {
  return `models/${model}/rollouts/${rollout}/${arm}.json`;
}

/**
 * What a schema cannot say of arms.
 *
 * @throws protocol/invalid-document with the path of the first fault in `detail`
 */
export function requireSoundArms(rollout: Rollout): void {
  const { model, rollout: id, arms, control } = rollout;
  for (const [i, { name, version, manifest }] of arms.entries()) {
    if (arms.findIndex((other) => other.name === name) !== i)
      throw invalidDocument("rollout", `/arms/${i}/name`, `is given twice: ${name}`);
    if (version === control)
      throw invalidDocument("rollout", `/arms/${i}/version`, `must not be that of the control, ${control}`);
    if (manifest.target !== rolloutManifestPath(model, id, name))
      throw invalidDocument(
        "rollout",
        `/arms/${i}/manifest/target`,
        `must be ${rolloutManifestPath(model, id, name)}`,
      );
  }
}

/** What a device knows of itself, and never sends. */
export interface RolloutDevice {
  /** 16 random bytes as hex digits, made once where the runtime keeps its files. */
  readonly installation: string;
  /** Where it is enrolled. */
  readonly deviceId?: string | undefined;
  readonly tags: readonly string[];
}

/**
 * The arm that a device belongs to; undefined: it runs what the channel points to.
 *
 * The first 48 bits of SHA-256("tributary-rollout-v1" || installation || rollout) are a fraction f. With n arms, the device's arm is
 * number floor(f n), and it is in the rollout where the fractional part of f n is below its share: so a larger share keeps everyone
 * where they are.
 */
export async function armOf(rollout: Rollout, device: RolloutDevice): Promise<RolloutArm | undefined> {
  const { arms, rollout: id } = rollout;
  const place =
    (await fraction(BUCKET_PURPOSE, decodeHex(device.installation), encodeUtf8(id))) * arms.length;
  const arm = arms[Math.min(Math.floor(place), arms.length - 1)];
  if (place - Math.floor(place) < shareOf(rollout, device.tags) / ROLLOUT_SHARE_UNITS) return arm;
  if (rollout.devices.length === 0 || device.deviceId === undefined) return undefined;
  return rollout.devices.includes(await rolloutDevice(id, device.deviceId)) ? arm : undefined;
}

/** Names a device in one rollout alone: SHA-256("tributary-rollout-device-v1" || device id || rollout). */
export async function rolloutDevice(rollout: string, deviceId: string): Promise<Digest> {
  return await digestOf(concatBytes(encodeUtf8(DEVICE_PURPOSE), decodeHex(deviceId), encodeUtf8(rollout)));
}

function shareOf({ shares }: Rollout, own: readonly string[]): number {
  const met = shares.filter(({ tags }) => tags.length === 0 || tags.some((each) => own.includes(each)));
  return Math.max(0, ...met.map(({ share }) => share));
}

async function fraction(purpose: string, ...parts: readonly Uint8Array[]): Promise<number> {
  const digest = await digestOf(concatBytes(encodeUtf8(purpose), ...parts));
  return Number.parseInt(digest.slice(0, FRACTION_DIGITS), 16) / 16 ** FRACTION_DIGITS;
}
