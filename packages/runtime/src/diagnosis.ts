import type { ErrorCode } from "@tributary/core";
import type { EngineName } from "@tributary/engine";
import type { EngineChoiceReason } from "@tributary/engine/check";
import type { VariantForm } from "@tributary/protocol";
import type { PersonalDiagnosis } from "./personal/personalisation.ts";
import type { TrainingDiagnosis } from "./participation/training-diagnosis.ts";
import type { BatchingState } from "./inference/inference-queue.ts";
import type { RolloutStanding } from "./updater/standing.ts";

/**
 * What a runtime does, and why: plain data for a support page or a bug report. It is told to the page alone; no other device or
 * server gets it.
 */
export interface Diagnosis {
  readonly engines: EngineDiagnosis;
  readonly models: readonly ModelDiagnosis[];
  readonly storage: StorageDiagnosis;
  /** Once the device took part: how local training behaves towards who uses the device. */
  readonly training?: TrainingDiagnosis;
  /** Of a page: the worker that all of this happens in. */
  readonly worker?: WorkerDiagnosis;
}

export interface EngineDiagnosis {
  /** What a model may run on; in a page, known once a model was opened. */
  readonly available: readonly EngineName[];
  /** What the choice of engines holds for: browser, adapter, engine and threads. Another one has them checked anew. */
  readonly fingerprint: string;
  /** The WebGPU adapter as the browser describes it, or why there is none. */
  readonly adapter?: string;
  /** What that adapter has of what forms of models ask for: "shader-f16". */
  readonly features?: readonly string[];
  /** Of WASM. */
  readonly threads?: number;
  /** Whether the page is cross-origin isolated, without which WASM has one thread. */
  readonly crossOriginIsolated?: boolean;
  /**
   * Addresses of the WASM files that the engine was loaded from: what a page's service worker keeps, so that the page works offline.
   */
  readonly files?: readonly string[];
  /** Memory that the engine has reserved, in bytes; it never shrinks. */
  readonly heapBytes?: number;
  /** How often the browser took the GPU away. */
  readonly gpuLosses: number;
}

export interface ModelDiagnosis {
  readonly model: string;
  readonly channel: string;
  readonly version: number;
  readonly engine: EngineName;
  /** Why this engine and not a faster one, in words. */
  readonly note?: string;
  /** The engines that were compared on one batch, the reference first; empty where there was one only. */
  readonly tried: readonly TriedEngine[];
  /** Why the engine that runs was chosen; undefined where there was no choice. */
  readonly reason?: EngineChoiceReason;
  /** The comparison is one of an earlier start with the same fingerprint. */
  readonly remembered: boolean;
  /** The form of the version that runs. */
  readonly variant: VariantName;
  /**
   * The forms that were compared on one batch, the reference first, and those that this device cannot use; empty where the manifest
   * offers one only.
   */
  readonly triedVariants: readonly TriedVariant[];
  /** The newest version that was verified and did not take this one's place. */
  readonly refused?: RefusedVersion;
  /** Where this device stands in a rollout of the channel, while one goes on. */
  readonly rollout?: RolloutStanding;
  /** What ran before, and is kept so that the device can go back to it without a download. */
  readonly kept?: KeptVersion;
  /** The version is not to run any more and there is no other: calls fail with `runtime/version-withdrawn`. */
  readonly withdrawn?: { readonly version: number; readonly message: string };
  /** Weights of this device's own, once there were some since the start. */
  readonly personal?: PersonalDiagnosis;
  readonly batching: BatchingState;
  readonly calls: CallDiagnosis;
  /** How the version came; left out where it was here when the app started. */
  readonly download?: VersionDownload;
}

export interface KeptVersion {
  readonly version: number;
  readonly sizeBytes: number;
}

/** How a version's files came to this device. */
export interface VersionDownload {
  /** That they were made with from those of an earlier version; 0: whole files came. */
  readonly deltas: number;
  /** What had to come: of deltas, of whole files, nothing of files that were here. */
  readonly sizeBytes: number;
  /** Of the whole files. */
  readonly fullBytes: number;
}

/** A version that could not be loaded here, answered otherwise than where it was published, ended the process, or needs a newer runtime. */
export interface RefusedVersion {
  readonly version: number;
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * A form of a version: float32 weights; weights that came as int8 and run as float32; int8 weights and activations, whose scales follow
 * from each batch, or were fixed by calibration; or float16 weights and arithmetic.
 */
export type VariantName = "float32" | "int8-weights" | VariantForm;

export interface TriedVariant {
  readonly variant: VariantName;
  /** "unsuited": for other engines than the one that runs the model; it was not downloaded. */
  readonly verdict: "reference" | "agrees" | "disagrees" | "failed" | "unsuited";
  /** Against the reference, max|a-b| / max|a|; null where nothing was compared. */
  readonly relativeError: number | null;
  readonly medianMs: number | null;
  /** Of one that failed: what it said; of one that is unsuited: what it is for. */
  readonly message?: string;
}

export interface TriedEngine {
  readonly engine: EngineName;
  readonly verdict: "reference" | "agrees" | "disagrees" | "failed" | "untried";
  /** Against the reference, max|a-b| / max|a|; null where nothing was compared. */
  readonly relativeError: number | null;
  /** Median of the timed runs; null where it was not timed. */
  readonly medianMs: number | null;
  /** Of one that failed: what it said. */
  readonly message?: string;
}

/** Calls that were answered since the version was opened. */
export interface CallDiagnosis {
  readonly answered: number;
  /** Runs that answered several calls. */
  readonly sharedRuns: number;
  /** Time in the queue and the engine of the last 512 calls, in milliseconds; null before the first. */
  readonly medianMs: number | null;
  readonly p99Ms: number | null;
}

export interface WorkerDiagnosis {
  /** How often a worker was lost or stuck, and replaced. */
  readonly replaced: number;
  /** How often a worker was replaced because its memory had grown. */
  readonly recycled: number;
}

/** What is kept on the device of models, plans and unfinished downloads, and how much may be. */
export interface StorageDiagnosis {
  /** Where blobs lie: the origin private file system, IndexedDB where a browser has none, files in Node. */
  readonly kind: "opfs" | "indexeddb" | "files" | "memory";
  readonly blobBytes: number;
  /** Of downloads that were interrupted, and go on from there. */
  readonly partialBytes: number;
  /** Of the whole site, or of the folder, as far as the platform tells. */
  readonly usageBytes?: number;
  readonly quotaBytes?: number;
  /** Whether the browser keeps the storage when the device runs short of space; it is asked to with the first consent. */
  readonly persisted?: boolean;
  /** `maxStorageBytes`, where it was given. */
  readonly maxBytes?: number;
}
