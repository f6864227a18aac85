import { failure } from "./errors.ts";

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** 32 lowercase hex digits: the first half of the SHA-256 of the device's public key. */
export type DeviceId = Brand<string, "DeviceId">;
/** A group of devices that enrol with the same kind of token. */
export type PopulationName = Brand<string, "PopulationName">;
/** A federated task of a coordinator. */
export type TaskName = Brand<string, "TaskName">;
/** A model of a coordinator. */
export type ModelName = Brand<string, "ModelName">;
/** Versions of a model count from 1. A round number is not a version. */
export type ModelVersion = Brand<number, "ModelVersion">;
/** One round of one task. */
export type RoundId = Brand<string, "RoundId">;
/** SHA-256 in 64 lowercase hex digits. */
export type Digest = Brand<string, "Digest">;

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const ROUND_ID = /^[a-z0-9-]{1,64}$/;
const DEVICE_ID = /^[0-9a-f]{32}$/;
const DIGEST = /^[0-9a-f]{64}$/;

function invalid(kind: string, expected: string, value: unknown): Error {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : String(value).slice(0, 80);
  return failure("core/invalid-id", `${kind}: expected ${expected}, got ${shown}`, { detail: { kind } });
}

const matches = (pattern: RegExp, value: unknown): boolean =>
  typeof value === "string" && pattern.test(value);

export const isDeviceId = (value: unknown): value is DeviceId => matches(DEVICE_ID, value);
export const isPopulationName = (value: unknown): value is PopulationName => matches(NAME, value);
export const isTaskName = (value: unknown): value is TaskName => matches(NAME, value);
export const isModelName = (value: unknown): value is ModelName => matches(NAME, value);
export const isRoundId = (value: unknown): value is RoundId => matches(ROUND_ID, value);
export const isDigest = (value: unknown): value is Digest => matches(DIGEST, value);
export const isModelVersion = (value: unknown): value is ModelVersion =>
  Number.isSafeInteger(value) && (value as number) >= 1;

const NAME_RULE = "1 to 63 of a-z 0-9 -, not beginning with -";

/** Each `asX` returns its argument, branded, or throws `core/invalid-id`. */
export function asDeviceId(value: unknown): DeviceId {
  if (!isDeviceId(value)) throw invalid("device id", "32 lowercase hex digits", value);
  return value;
}
export function asPopulationName(value: unknown): PopulationName {
  if (!isPopulationName(value)) throw invalid("population name", NAME_RULE, value);
  return value;
}
export function asTaskName(value: unknown): TaskName {
  if (!isTaskName(value)) throw invalid("task name", NAME_RULE, value);
  return value;
}
export function asModelName(value: unknown): ModelName {
  if (!isModelName(value)) throw invalid("model name", NAME_RULE, value);
  return value;
}
export function asModelVersion(value: unknown): ModelVersion {
  if (!isModelVersion(value)) throw invalid("model version", "an integer of at least 1", value);
  return value;
}
export function asRoundId(value: unknown): RoundId {
  if (!isRoundId(value)) throw invalid("round id", "1 to 64 of a-z 0-9 -", value);
  return value;
}
export function asDigest(value: unknown): Digest {
  if (!isDigest(value)) throw invalid("digest", "64 lowercase hex digits (SHA-256)", value);
  return value;
}
