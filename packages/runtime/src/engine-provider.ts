import type { EngineDownload, EngineName, Feeds, Session } from "@tributary/engine";
import type { EngineChoice, ModelForm } from "@tributary/engine/check";
import type { ModelFormat } from "@tributary/protocol";
import type { EngineDiagnosis } from "./diagnosis.ts";

/** A use of a session. Other users may share it; it is disposed some time after the last of them let it go. */
export interface SessionLease {
  readonly session: Session;
  /** What runs it now: after a lost GPU it may be another engine. */
  readonly engine: EngineName;
  /** Why this engine and not a faster one, where there is something to tell. */
  readonly note?: string | undefined;
  /** How the engine was chosen; undefined where there was no choice. */
  readonly check?: EngineCheck | undefined;
  /**
   * Idempotent. Runs accepted before it complete.
   *
   * @param options.keep - false: no copy is kept for who may ask for the same again. @defaultValue true
   */
  release(options?: { readonly keep?: boolean }): Promise<void>;
}

/** A choice of engine, and whether it was made at an earlier start. */
export interface EngineCheck {
  readonly choice: EngineChoice;
  readonly remembered: boolean;
}

export interface OpenSessionRequest {
  /** Names what is loaded: equal keys mean equal bytes. */
  readonly key: string;
  /** Makes the bytes; called only where no session of this key is open. */
  readonly model: () => Promise<Uint8Array> | Uint8Array;
  readonly signal?: AbortSignal;
}

/** What the check of a GPU engine against WASM needs. */
export interface CheckedRequest extends OpenSessionRequest {
  /** Feeds that fit the model. */
  readonly sample: () => Feeds | Promise<Feeds>;
  /** The choice remembered from an earlier start, and where to remember the one made now. */
  readonly remembered?: unknown;
  readonly remember?: (choice: unknown) => Promise<void>;
}

export interface OpenInferenceRequest extends CheckedRequest {
  /** What the bytes are written in. */
  readonly format: ModelFormat;
  /** The GPU was lost: the session was opened anew, maybe on another engine. */
  readonly onMoved?: () => void;
  /** Opened on this engine, unchecked: whoever asks compares it with what was. @defaultValue the fastest that agrees */
  readonly on?: EngineName;
}

export interface OpenTrainingRequest extends CheckedRequest {
  /** What the graph is written in. */
  readonly format: ModelFormat;
  /** The graph that computes the same on WebGPU, if there is one. Only a device with an adapter asks for its bytes. */
  readonly webgpu?: ModelForm | undefined;
}

/** Where a device's sessions come from: one shared engine in Node, the checked and measured choice in a browser. */
export interface EngineProvider {
  /** A session that answers the app. The engine is the fastest of those whose results agree. */
  openInference(request: OpenInferenceRequest): Promise<SessionLease>;
  /**
   * A session of a training graph: of the form for WebGPU where the lease says that engine, else of the one for CPUs.
   * Devices that share an engine train one after the other: whoever asks waits until the lease before is released.
   */
  openTraining(request: OpenTrainingRequest): Promise<SessionLease>;
  /** A further session of a training that runs on a CPU, on its engine; it waits for nobody, because that training has the turn. */
  openPart(request: OpenSessionRequest): Promise<SessionLease>;
  /** Memory that the engine has reserved, in bytes; undefined where it is not known. */
  heapBytes(): number | undefined;
  /** Whether a model of this size may be loaded beside those that are. */
  hasRoomFor(modelBytes: number): boolean;
  /** Told what arrives of the engine's file, where there is one to fetch. Replaces who was told before. */
  onDownload?(listener: (download: EngineDownload) => void): void;
  /** What it has to choose from, and what it knows of the platform. */
  diagnose(): EngineDiagnosis;
  /** Disposes what only this provider holds. Idempotent. */
  close(): Promise<void>;
}
