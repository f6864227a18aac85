import type { PopulationName } from "@tributary/core";
import Type, { type Static } from "typebox";
import {
  ModelNameSchema,
  ModelVersionSchema,
  nullable,
  readonlyArray,
  textEnum,
  TimestampSchema,
} from "./schema.ts";

/** Longest vector of counts. */
const MAX_COUNTS = 64;
/** Reports of a device on one version that are nearer to each other are refused, unless a coordinator says otherwise. */
export const MIN_HEALTH_INTERVAL_MS = 10_000;

/** How a version fares on one device, told by an app that says so: `PUT /v1/populations/:population/device/health`. */
export const HealthReport = Type.Object(
  {
    formatVersion: Type.Literal(1),
    model: ModelNameSchema,
    version: ModelVersionSchema,
    engine: textEnum(["ort-wasm", "ort-webgpu", "ort-node", "tfjs-wasm", "tfjs-webgpu", "tfjs-cpu"]),
    session: Type.String({
      pattern: "^[0-9a-f]{32}$",
      description: "Random name of this run of the app; several may be at once, such as the tabs of a site",
    }),
    sequence: Type.Integer({
      minimum: 1,
      maximum: 2 ** 32 - 1,
      description:
        "Grows with each report of the session on this version: one that comes again is not counted again",
    }),
    counts: readonlyArray(Type.Integer({ minimum: 0, maximum: 1e9 }), {
      minItems: 1,
      maxItems: MAX_COUNTS,
      description:
        "Since the report before: runs, crashes, failed self-checks, errors by code, runs by latency, as formatVersion lays them out",
    }),
  },
  { additionalProperties: false },
);
export type HealthReport = Static<typeof HealthReport>;

/** Where a device tells how it fares: by its certificate, and a signature over `healthMessage`. */
export function healthPath(population: PopulationName | string): string {
  return `/v1/populations/${encodeURIComponent(population)}/device/health`;
}

const Count = Type.Integer({ minimum: 0 });

/** One version on the devices that tell of it. */
export const VersionHealthView = Type.Object({
  version: ModelVersionSchema,
  devices: Count,
  runs: Count,
  crashes: Count,
  /** On which it crashed at least once. */
  crashedDevices: Count,
  selfCheckFailures: Count,
  /** Without those that nothing was counted of. */
  errors: Type.Record(Type.String(), Count),
  /** Runs by milliseconds in the engine; coarse. */
  latencyMs: Type.Object({
    /** From coarse bins: of equal ones the same, else off by a factor of at most three. */
    p50: nullable(Type.Number()),
    p95: nullable(Type.Number()),
    edges: readonlyArray(Type.Number()),
    counts: readonlyArray(Count),
  }),
  /** When the last report came. */
  at: TimestampSchema,
});
export type VersionHealthView = Static<typeof VersionHealthView>;

/** `GET /v1/models/:model/health`, the newest version first. */
export const ModelHealthView = Type.Object({ versions: readonlyArray(VersionHealthView) });
