import type { EngineName, Feeds, Session } from "@tributary/engine";

/** A use of a session. Other users may share it; it is disposed some time after the last of them let it go. */
export interface SessionLease {
  readonly session: Session;
  readonly engine: EngineName;
  /** Why this engine and not a faster one, where there is something to tell. */
  readonly note?: string;
  /** Idempotent. Runs accepted before it complete. */
  release(): Promise<void>;
}

export interface OpenSessionRequest {
  /** Names what is loaded: equal keys mean equal bytes. */
  readonly key: string;
  /** Makes the ONNX bytes; called only where no session of this key is open. */
  readonly model: () => Promise<Uint8Array> | Uint8Array;
  readonly signal?: AbortSignal;
}

export interface OpenInferenceRequest extends OpenSessionRequest {
  /** Feeds that fit the model, for the check of a GPU engine against WASM. */
  readonly sample: () => Feeds;
  /** The choice remembered from an earlier start, and where to remember the one made now. */
  readonly remembered?: unknown;
  readonly remember?: (choice: unknown) => Promise<void>;
}

/** Where a device's sessions come from: one shared engine in Node, the checked and measured choice in a browser. */
export interface EngineProvider {
  /** A session that answers the app. The engine is the fastest of those whose results agree. */
  openInference(request: OpenInferenceRequest): Promise<SessionLease>;
  /**
   * A session of a training or evaluation graph, built for the CPU. Devices that share an engine train one after the
   * other: whoever asks waits until the lease before is released.
   */
  openTraining(request: OpenSessionRequest): Promise<SessionLease>;
  /** Disposes what only this provider holds. Idempotent. */
  close(): Promise<void>;
}
