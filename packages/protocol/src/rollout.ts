/** Which devices run which version of a model, beside what its channels point to. Devices decide by signed documents. */
import { decodeHex, digestOf, concatBytes, encodeUtf8, type Digest } from "@tributary/core";
import Type, { type Static } from "typebox";
import { invalidDocument, parseJson } from "./json.ts";
import { LIMITS } from "./limits.ts";
import { parseDocument } from "./parse.ts";
import {
  ChannelSchema,
  DigestSchema,
  ModelNameSchema,
  ModelVersionSchema,
  readonlyArray,
  TargetPathSchema,
  UtcTimestampSchema,
} from "./schema.ts";

/** Shares of a rollout are whole ten-thousandths of its devices. */
export const ROLLOUT_SHARE_UNITS = 10_000;

const BUCKET_PURPOSE = "tributary-rollout-v1";
const DEVICE_PURPOSE = "tributary-rollout-device-v1";
const FRACTION_DIGITS = 12;

const strict = { additionalProperties: false };
const tag = Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$" });

export const RolloutIdSchema = Type.String({
  pattern: "^[a-z0-9][a-z0-9-]{0,62}$",
  description: "Name of a rollout, never used twice within a model",
});

/** One of the versions that are tried against the channel's. */
export const RolloutArm = Type.Object(
  {
    name: Type.String({ pattern: "^[a-z0-9][a-z0-9-]{0,31}$" }),
    version: ModelVersionSchema,
    manifest: Type.Object({ target: TargetPathSchema }, strict),
  },
  strict,
);
export type RolloutArm = Static<typeof RolloutArm>;

/** A share of the devices that have one of the tags: of all, where there are none. */
export const RolloutShare = Type.Object(
  {
    tags: readonlyArray(tag, { maxItems: 64 }),
    share: Type.Integer({ minimum: 0, maximum: ROLLOUT_SHARE_UNITS }),
  },
  strict,
);
export type RolloutShare = Static<typeof RolloutShare>;

/** `models/<model>/<channel>.rollout.json`: there while a rollout goes on, under way or paused. */
export const Rollout = Type.Object(
  {
    formatVersion: Type.Literal(1),
    model: ModelNameSchema,
    channel: ChannelSchema,
    rollout: RolloutIdSchema,
    /** What the channel points to, and the others run. */
    control: ModelVersionSchema,
    arms: readonlyArray(RolloutArm, { minItems: 1, maxItems: 8 }),
    /** The largest share that a device comes under is its own. */
    shares: readonlyArray(RolloutShare, { maxItems: 64 }),
    /** Devices that are in it whatever the share, as `rolloutDevice` names them. */
    devices: readonlyArray(DigestSchema, { maxItems: 10_000 }),
  },
  strict,
);
export type Rollout = Static<typeof Rollout>;

/** `models/<model>/versions.withdrawn.json`: versions that no device runs any more. */
export const WithdrawnVersions = Type.Object(
  {
    formatVersion: Type.Literal(1),
    model: ModelNameSchema,
    versions: readonlyArray(
      Type.Object(
        {
          version: ModelVersionSchema,
          reason: Type.String({ minLength: 1, maxLength: 256 }),
          at: UtcTimestampSchema,
        },
        strict,
      ),
      { maxItems: 10_000 },
    ),
  },
  strict,
);
export type WithdrawnVersions = Static<typeof WithdrawnVersions>;

export function rolloutPath(model: string, channel: string): string {
  return `models/${model}/${channel}.rollout.json`;
}

/** The whole manifest of an arm's version. */
export function rolloutManifestPath(model: string, rollout: string, arm: string): string {
  return `models/${model}/rollouts/${rollout}/${arm}.json`;
}

export function withdrawnPath(model: string): string {
  return `models/${model}/versions.withdrawn.json`;
}

/** @throws protocol/invalid-document with the path of the first fault in `detail` */
export function parseRollout(bytes: Uint8Array): Rollout {
  const json = parseJson("rollout", bytes, LIMITS.maxPlanBytes);
  const rollout = parseDocument("rollout", Rollout, json);
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
  return rollout;
}

/** @throws protocol/invalid-document with the path of the first fault in `detail` */
export function parseWithdrawnVersions(bytes: Uint8Array): WithdrawnVersions {
  return parseDocument(
    "withdrawn versions",
    WithdrawnVersions,
    parseJson("withdrawn versions", bytes, LIMITS.maxPlanBytes),
  );
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
