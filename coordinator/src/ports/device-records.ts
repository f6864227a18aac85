import type { DeviceId, Digest, ModelName, ModelVersion, PopulationName } from "@tributary/core";
import type { DeviceState } from "@tributary/protocol";

/** An enrolled device. */
export interface DeviceRecord {
  readonly deviceId: DeviceId;
  readonly population: PopulationName;
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array<ArrayBuffer>;
  /** readmitted: refused as one that is revoked, but it may enrol again. */
  readonly state: DeviceState;
  readonly enrolledAt: number;
  /** Of the newest certificate. */
  readonly certificateSerial: string;
  readonly certificateExpiresAt: number;
  readonly lastSeenAt: number | null;
  /** Name and version of its software, as it said last; null: it did not connect yet. */
  readonly software: string | null;
  /** Certificates at lower places of the log are refused: those of before it was revoked. Null: it never was. */
  readonly refusedBefore: number | null;
}

/** Which version of a model runs on a device, as it told last. */
export interface DeviceVersionRecord {
  readonly model: ModelName;
  readonly version: ModelVersion;
  /** Null where its app does not let it tell. */
  readonly engine: string | null;
  readonly at: number;
}

/** A device with what it told of itself, and what its app's backend said of it. */
export interface FleetDeviceRecord extends Omit<DeviceRecord, "publicKey"> {
  /** By model. */
  readonly versions: readonly DeviceVersionRecord[];
  readonly tags: readonly string[];
}

/** What was heard of one device. */
export interface DeviceNews {
  readonly deviceId: DeviceId;
  readonly at: number;
  /** Connections. */
  readonly checkIns: number;
  /** As it said when it connected. */
  readonly software?: string;
  /** An engine that is left out stays as it was told before of the same version. */
  readonly versions: readonly (Omit<DeviceVersionRecord, "engine" | "at"> & { readonly engine?: string })[];
}

/** What is looked for in a fleet: devices of which all that is given holds. Times in ms since the epoch. */
export interface FleetFilter {
  readonly population?: PopulationName;
  readonly state?: DeviceState;
  readonly tag?: string;
  readonly software?: string;
  /** Devices that run it; `version` and `engine` are of it. */
  readonly model?: ModelName;
  readonly version?: ModelVersion;
  readonly engine?: string;
  readonly seenSince?: number;
  readonly seenBefore?: number;
  /** How its id begins. */
  readonly search?: string;
}

/** Devices by what they have in common; the largest groups first. */
export interface FleetCounts {
  readonly known: number;
  readonly active: number;
  readonly revoked: number;
  readonly populations: readonly { readonly population: PopulationName; readonly devices: number }[];
  readonly versions: readonly {
    readonly model: ModelName;
    readonly version: ModelVersion;
    readonly devices: number;
  }[];
  readonly engines: readonly {
    readonly model: ModelName;
    readonly engine: string | null;
    readonly devices: number;
  }[];
  readonly software: readonly { readonly software: string | null; readonly devices: number }[];
  readonly tags: readonly { readonly tag: string; readonly devices: number }[];
}

/** An hour of a population, by its number since the epoch. */
export interface FleetHourRecord {
  readonly hour: number;
  readonly checkIns: number;
  /** Different ones that were heard of. */
  readonly devices: number;
}

/** Devices that ran a version at the end of an hour. */
export interface AdoptionRecord {
  readonly hour: number;
  readonly version: ModelVersion;
  readonly devices: number;
}

/** A certificate in the log, by its place from 0. */
export interface LogEntryRecord {
  readonly index: number;
  /** RFC 9162 leaf hash of the certificate: it is found by it, and stands in the log once. */
  readonly leafHash: Digest;
  readonly deviceId: DeviceId;
  /** As issued. */
  readonly certificate: Uint8Array<ArrayBuffer>;
  /** When it was first presented. */
  readonly at: number;
}

/** The hash of a full subtree of the log: 2^level entries from index x 2^level. */
export interface LogNodeRecord {
  readonly level: number;
  readonly index: number;
  /** 32 bytes. */
  readonly hash: Uint8Array<ArrayBuffer>;
}

/** The use of an enrolment token by one device. */
export interface TokenUse {
  /** The token's own id (`jti`), never the token. */
  readonly tokenId: string;
  readonly deviceId: DeviceId;
  readonly at: number;
  /** When the token expires; its uses may be forgotten afterwards. */
  readonly expiresAt: number;
  /** How many devices the token may enrol. */
  readonly maxUses: number;
}

/** How a version fares on one device, as the device tells it; counts as `healthMetrics` lays them out. */
export interface DeviceHealthRecord {
  readonly deviceId: DeviceId;
  readonly model: ModelName;
  readonly version: ModelVersion;
  readonly population: PopulationName;
  readonly engine: string;
  readonly counts: readonly number[];
  /** The sessions that told last, the newest first, with the sequence of the last report of each. */
  readonly sessions: readonly (readonly [session: string, sequence: number])[];
  readonly firstAt: number;
  readonly at: number;
}
