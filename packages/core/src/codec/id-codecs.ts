import { decodeHex, encodeHex } from "../bytes.ts";
import {
  asDeviceId,
  asModelName,
  asModelVersion,
  asPopulationName,
  asRoundId,
  asTaskName,
  type DeviceId,
  type ModelName,
  type ModelVersion,
  type PopulationName,
  type RoundId,
  type TaskName,
} from "../ids.ts";
import type { Codec } from "./codec.ts";
import { mapped } from "./composites.ts";
import { fixedBytes, text, u32 } from "./primitives.ts";

/** 16 raw bytes. */
export const deviceId: Codec<DeviceId> = mapped(
  fixedBytes(16),
  (raw) => asDeviceId(encodeHex(raw)),
  (id) => decodeHex(asDeviceId(id)),
);
export const populationName: Codec<PopulationName> = mapped(
  text({ max: 63 }),
  asPopulationName,
  asPopulationName,
);
export const taskName: Codec<TaskName> = mapped(text({ max: 63 }), asTaskName, asTaskName);
export const modelName: Codec<ModelName> = mapped(text({ max: 63 }), asModelName, asModelName);
/** u32 on the wire. */
export const modelVersion: Codec<ModelVersion> = mapped(u32, asModelVersion, asModelVersion);
export const roundId: Codec<RoundId> = mapped(text({ max: 64 }), asRoundId, asRoundId);
