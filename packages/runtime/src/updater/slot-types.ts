import type { Digest, Env, ModelName, TributaryError } from "@tributary/core";
import type { Feeds, Session } from "@tributary/engine";
import type { ModelManifest } from "@tributary/protocol";
import type { DevicePorts, RunFeeds } from "../device.ts";
import type { RefusedVersion } from "../diagnosis.ts";
import type { EngineProvider } from "../engine-provider.ts";
import type { Explanation, ExplainRequest } from "../explain/explanation.ts";
import type { BatchingOptions } from "../inference/batching.ts";
import type { Inference, ModelProgress, ModelState, ModelVariant } from "../runtime.ts";
import type { DeviceStore, InstalledModel } from "../store/device-store.ts";
import type { BlobFetcher } from "./blob-fetcher.ts";
import type { BlobHolds } from "./blob-holds.ts";
import type { Releases } from "./releases.ts";
import type { SlotFacts } from "./slot-diagnosis.ts";
import type { TrialRecord } from "./trial.ts";

// What a slot is asked for, and what it is made of.

export interface ModelSlotOptions {
  readonly model: string;
  readonly channel: string;
  readonly variant: ModelVariant;
  readonly releases: Releases;
  readonly blobs: BlobFetcher;
  readonly engines: EngineProvider;
  readonly store: Pick<DeviceStore, "models" | "settings">;
  readonly env: Env;
  /** Decodes and scales images, where the platform can. */
  readonly images?: DevicePorts["images"];
  readonly onProgress: (progress: Omit<ModelProgress, "part">) => void;
  /** After a swap. */
  readonly onRunning: (state: ModelState, previousVersion: number | null) => void;
  /** The version that runs was opened anew after its GPU was lost, maybe on another engine. */
  readonly onMoved: (state: ModelState) => void;
  /** Which blobs it needs, whenever these are others. */
  readonly onNeeds?: ((digests: readonly Digest[]) => void) | undefined;
  /** A version that was verified did not take the place of the one that runs. */
  readonly onRefused?: ((refused: RefusedVersion) => void) | undefined;
  /** A newer version was verified and downloaded, and waits to be applied. */
  readonly onAvailable: (version: number, previousVersion: number) => void;
  /** The process before this one, or the worker, ended while a version was opened or ran for the first time. */
  readonly onDied?: ((died: Pick<TrialRecord, "version" | "engine">) => void) | undefined;
  /** Files that were kept are of no more use. */
  readonly onLessNeeded?: (() => void) | undefined;
  /** Where others share the store. */
  readonly holds?: BlobHolds | undefined;
}

/** A model that is open on this device: one version runs, the next is prepared beside it and swapped in. */
export interface ModelSlot {
  readonly name: ModelName;
  readonly channel: string;
  readonly variant: ModelVariant;
  /** Whether new versions are swapped in by themselves. */
  update: "auto" | "manual";
  /** How its calls share runs. */
  batching: Required<BatchingOptions>;
  /** False until its first version was opened. */
  readonly isRunning: boolean;
  readonly state: ModelState;
  readonly installed: InstalledModel;
  /** The version that runs. @throws `runtime/closed` */
  readonly current: { readonly manifest: ModelManifest; readonly installed: InstalledModel };
  /**
   * Has other weights answer as long as this version runs, where it still is the one that they are for; undefined: the version's own.
   * Runs under way complete.
   */
  setPersonal(form: PersonalForm | undefined): Promise<void>;
  /** Starts the version installed earlier; false where there is none, it is damaged, or is not to run any more. */
  startInstalled(signal?: AbortSignal): Promise<boolean>;
  /** Why what is installed does not run: it was withdrawn, or ended processes. */
  readonly barred: TributaryError | undefined;
  /** Follows the verified metadata to its newest version. Calls run one after the other. */
  follow(signal?: AbortSignal): Promise<void>;
  /** Swaps in the version that waits. */
  apply(): Promise<ModelState>;
  /** @param personal whether weights of the device's own answer, where there are some */
  run(feeds: RunFeeds, signal?: AbortSignal, personal?: boolean): Promise<SlotAnswer>;
  /** What runs now, for as long as `work` takes: it is swapped after that. */
  use<T>(work: (session: Session, manifest: ModelManifest) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** @throws `runtime/not-explainable` */
  explain(feeds: RunFeeds, request: ExplainRequest, signal?: AbortSignal): Promise<Explanation>;
  facts(): SlotFacts;
  /** Blobs that belong to what runs, waits or is being prepared. */
  needed(): readonly Digest[];
  /** Idempotent. Runs under way complete. */
  close(): Promise<void>;
}

/** An answer, and what the graph was fed: images have become tensors. */
export interface SlotAnswer {
  readonly inference: Inference;
  readonly feeds: Feeds;
}

/** A version with weights of the device's own. */
export interface PersonalForm {
  readonly version: number;
  /** Names what is loaded: equal keys mean equal bytes. */
  readonly key: string;
  readonly model: () => Promise<Uint8Array>;
}
