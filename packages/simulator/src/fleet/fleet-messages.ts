import type { RuntimeEvent } from "@tributary/runtime";
import type { LabelledImages, ShardOptions } from "./shards.ts";

/** One device of a worker thread. */
export interface FleetDevice {
  /** From 1, as in the name of its folder. */
  readonly number: number;
  readonly dataDir: string;
}

/** What a worker thread is started with. */
export interface FleetWorkerData {
  readonly coordinator: string;
  readonly trustedRoot: Uint8Array;
  readonly population: string;
  readonly model: string;
  readonly task: string;
  readonly minimumCohort: number;
  readonly devices: readonly FleetDevice[];
  /** Either how to make each device's examples, or the examples themselves, one shard a device. */
  readonly shards: Omit<ShardOptions, "dataset"> | readonly LabelledImages[];
}

/** To a worker. */
export type ToFleetWorker =
  | { readonly type: "token"; readonly id: number; readonly token: string }
  | { readonly type: "token-refused"; readonly id: number; readonly message: string }
  | { readonly type: "close" };

/** From a worker. */
export type FromFleetWorker =
  | { readonly type: "token-wanted"; readonly id: number }
  | { readonly type: "event"; readonly device: number; readonly event: RuntimeEvent }
  /** A device has its model and takes part. */
  | { readonly type: "started"; readonly device: number; readonly examples: number }
  | { readonly type: "bytes"; readonly device: number; readonly bytesUp: number; readonly bytesDown: number }
  | {
      readonly type: "device-failed";
      readonly device: number;
      readonly code: string;
      readonly message: string;
    }
  | { readonly type: "closed" };
