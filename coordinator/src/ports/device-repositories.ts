import type { DeviceId, ModelName, ModelVersion, PopulationName } from "@tributary/core";
import type {
  AdoptionRecord,
  DeviceHealthRecord,
  DeviceNews,
  DeviceRecord,
  FleetCounts,
  FleetDeviceRecord,
  FleetFilter,
  FleetHourRecord,
  TokenUse,
} from "./device-records.ts";

export interface DeviceRepository {
  /** Adds a device, or renews its certificate; its key never changes (its id is a hash of it). */
  enrol(device: DeviceRecord): Promise<void>;
  get(deviceId: DeviceId): Promise<DeviceRecord | undefined>;
  /** By id; `after` is exclusive. */
  list(options?: {
    readonly population?: PopulationName;
    readonly limit?: number;
    readonly after?: DeviceId;
  }): Promise<DeviceRecord[]>;
  /** @param options.certifiedAt only those whose newest certificate holds then: who left is out of it within a week */
  count(population?: PopulationName, options?: { readonly certifiedAt?: number }): Promise<number>;
  /**
   * @param refusedBefore where it is given: certificates at lower places of the log are refused from then on
   * @throws `store/not-found`
   */
  setState(deviceId: DeviceId, state: DeviceRecord["state"], refusedBefore?: number): Promise<void>;
  /**
   * Forgets a device: its row, what it told of itself, what was suspected of it, and how it fared. What has to be kept of what it did (that it used a token, took part in
   * a round, was refused) goes on under `pseudonym`; nothing leads from the device to its name in the audit log any more.
   *
   * @returns false where there is none
   */
  erase(deviceId: DeviceId, pseudonym: DeviceId): Promise<boolean>;
  /**
   * Counts a device against an enrolment token: `used` the first time, `already` when this device used it before,
   * `exhausted` when `maxUses` other devices did.
   */
  useToken(use: TokenUse): Promise<"used" | "already" | "exhausted">;
  forgetTokens(expiredBefore: number): Promise<void>;
}

/** What devices tell of themselves, and the fleet that they are. */
export interface FleetRepository {
  /** Writes what was heard; of devices that are not active, nothing is. */
  record(news: readonly DeviceNews[]): Promise<void>;
  /** Replaces what the app's backend says of a device. */
  setTags(deviceId: DeviceId, tags: readonly string[]): Promise<void>;
  /** By id; `after` is exclusive. */
  list(
    filter: FleetFilter,
    page: { readonly limit: number; readonly after?: DeviceId },
  ): Promise<FleetDeviceRecord[]>;
  count(filter: FleetFilter): Promise<number>;
  get(deviceId: DeviceId): Promise<FleetDeviceRecord | undefined>;
  /** Devices that were seen from a time on; at most `limit` groups of each kind. */
  counts(of: {
    readonly population?: PopulationName;
    readonly seenSince: number;
    readonly limit: number;
  }): Promise<FleetCounts>;
  /** Notes for an hour which versions run on how many devices, in the place of what was noted for it. */
  noteAdoption(hour: number): Promise<void>;
  /** Oldest first. */
  hours(of: { readonly since: number; readonly population?: PopulationName }): Promise<FleetHourRecord[]>;
  /** Of a model, oldest first. */
  adoption(
    model: ModelName,
    of: { readonly since: number; readonly population?: PopulationName },
  ): Promise<AdoptionRecord[]>;
  /** Forgets hours, and which versions ran on devices that were not seen since. */
  prune(before: { readonly hour: number; readonly seenBefore: number }): Promise<void>;
}

/** How versions fare on single devices. */
export interface DeviceHealthRepository {
  get(
    key: Pick<DeviceHealthRecord, "deviceId" | "model" | "version">,
  ): Promise<DeviceHealthRecord | undefined>;
  /** Adds or replaces; of one device all but the `keep` newest go. */
  put(record: DeviceHealthRecord, keep: number): Promise<void>;
  /** Of a model by version, newest first, and device; `after` is exclusive. */
  list(
    model: ModelName,
    options: { readonly limit: number; readonly after?: Pick<DeviceHealthRecord, "deviceId" | "version"> },
  ): Promise<DeviceHealthRecord[]>;
  /** What devices told of a version from a time on, by device. */
  toldSince(model: ModelName, version: ModelVersion, at: number): Promise<DeviceHealthRecord[]>;
  /** Devices that told of any version. */
  countDevices(): Promise<number>;
  /** Forgets what was told before the time. */
  prune(toldBefore: number): Promise<void>;
}
