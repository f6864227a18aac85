import {
  asDeviceId,
  asDigest,
  asModelVersion,
  asRoundId,
  asTaskName,
  sha256,
  encodeUtf8,
  type DeviceId,
} from "@tributary/core";
import type { RoundConfig, UpdateClaim } from "../src/index.ts";

export const START = 1_767_225_600_000;

export function device(index: number): DeviceId {
  return asDeviceId(sha256(encodeUtf8(`device ${index}`)).slice(0, 32));
}

export function claim(index: number, more: Partial<UpdateClaim> = {}): UpdateClaim {
  return {
    numExamples: 10 + index,
    updateDigest: sha256(encodeUtf8(`update ${index}`)),
    sizeBytes: 1000,
    ...more,
  };
}

export function roundConfig(more: Partial<RoundConfig> = {}): RoundConfig {
  return {
    task: asTaskName("digits"),
    roundId: asRoundId("digits-1"),
    round: 1,
    baseVersion: asModelVersion(1),
    plan: { target: "plans/digits/1.json", digest: asDigest("aa".repeat(32)) },
    weights: { target: "models/digits/versions/1/weights.safetensors", digest: asDigest("bb".repeat(32)) },
    goalCount: 3,
    minimumCount: 2,
    offerLimit: 4,
    trainDeadlineMs: 60_000,
    reportDeadlineMs: 20_000,
    reconnectGraceMs: 5_000,
    timestampVersion: 1,
    secure: null,
    ...more,
  };
}
