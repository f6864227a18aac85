import type { ErrorCode, ModelName, ModelVersion, TaskName } from "@tributary/core";
import type { EventRecord, NewEvent } from "./event-records.ts";

/** Topics and what they carry. Payloads are plain JSON data and are not changed after publishing. */
export interface BusTopics {
  /** A logged event, or (id null) one that is only worth showing now; the dashboard's stream. */
  readonly event:
    | EventRecord
    | {
        readonly id: null;
        readonly type: NewEvent["type"] | "record" | "activity" | "storage";
        readonly data: EventRecord["data"];
        readonly at: number;
      };
  /** A release was committed: devices that subscribed to the channel get the new version pushed. */
  readonly release: {
    readonly model: ModelName;
    readonly channel: string;
    readonly version: ModelVersion;
    readonly timestampVersion: number;
    readonly committedAt: number;
  };
  /** A version is released without the delta from an earlier one, whose files cannot be read: a defect of the storage. */
  readonly "delta-missing": {
    readonly model: ModelName;
    readonly from: ModelVersion;
    readonly code: ErrorCode;
  };
  /** A task was added, its state changed or a device was released: the round driver looks again. */
  readonly task: { readonly task: TaskName };
  /** Training of a model goes on from another version than the newest one. */
  readonly head: { readonly model: ModelName; readonly version: ModelVersion };
  /** Counts of the gateway, at most a few a second. */
  readonly devices: { readonly connected: number; readonly training: number };
}

export type BusTopic = keyof BusTopics;

export interface Subscription {
  /** No delivery begins after it returns. Idempotent. */
  close(): void;
}

/** Publish and subscribe between the coordinator's rooms; what is published is not kept. */
export interface Bus {
  /**
   * Hands a message to every subscriber of the topic, in the order of publishing. Never fails because a listener
   * did: that is logged. Resolves when every local listener was called.
   */
  publish<T extends BusTopic>(topic: T, payload: BusTopics[T]): Promise<void>;
  subscribe<T extends BusTopic>(topic: T, listener: (payload: BusTopics[T]) => void): Subscription;
  /** Delivers what was published, then drops all subscriptions. Idempotent; publishing afterwards is ignored. */
  close(): Promise<void>;
}
