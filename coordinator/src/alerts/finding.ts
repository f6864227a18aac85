import type { AlertRule, AlertSubject, DevicesView, PushView, RefusedVersionView } from "@tributary/protocol";
import type { BlobStore } from "../ports/blob-store.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { StorageProblem } from "../storage-health.ts";

/** Something that a rule looks for, as it is now. */
export interface Finding {
  readonly subject: AlertSubject;
  readonly value: number | null;
  /** One sentence: what is wrong. */
  readonly summary: string;
  /** One sentence: what to do. */
  readonly advice: string;
}

/** What rules look at beside the store. */
export interface AlertSignals {
  readonly store: Pick<
    MetadataStore,
    | "audit"
    | "channels"
    | "fleet"
    | "measurements"
    | "models"
    | "releases"
    | "rollouts"
    | "rounds"
    | "tasks"
    | "versions"
  >;
  readonly blobs: Pick<BlobStore, "bytes">;
  /** Of the file system with the data directory, in bytes. */
  readonly space: () => Promise<{ readonly free: number; readonly total: number }>;
  readonly devices: () => DevicesView;
  readonly refusedVersions: () => readonly RefusedVersionView[];
  /** Of the last hour; null: no device told. */
  readonly push: (now: number) => PushView | null;
  readonly storageProblem: () => StorageProblem | null;
  /** Share of the time since the last look that the main thread was busy. */
  readonly busy: () => number;
}

/** Looks whether something is wrong by one kind of rule. */
export type Watch = (
  signals: AlertSignals,
  rule: AlertRule,
  asked: {
    /** The rule's own, or its kind's; 0 where it has none. */
    readonly threshold: number;
    readonly now: number;
  },
) => Promise<readonly Finding[]>;

/** "12.5 %" */
export function percent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}

/** "3 devices", "1 device" */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}
