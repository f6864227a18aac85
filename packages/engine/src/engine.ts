import type { DType, Tensor } from "@tributary/tensor";
import type { SessionConfig } from "./session-config.ts";

/** What executes a graph. */
export type EngineName = "ort-wasm" | "ort-webgpu" | "ort-node" | "tfjs-wasm" | "tfjs-webgpu" | "tfjs-cpu";

/** Named tensors that go into a graph. The session copies or only reads them; they stay the caller's. */
export type Feeds = Readonly<Record<string, Tensor>>;

/** Named tensors that come out of a graph. They own their memory: no later run writes to it. */
export type Outputs = Record<string, Tensor>;

/** An output that lies where its engine computed it. Only sessions of that engine can read it. */
export interface KeptTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The engine's own. */
  readonly value: unknown;
}

/** Outputs that were kept, until they are released. */
export interface KeptOutputs {
  readonly tensors: Readonly<Record<string, KeptTensor>>;
  /** Idempotent. Runs that were begun with them have to be over. */
  release(): void;
}

/** An input or output of a loaded graph. A dimension that is free at load time is `null`. */
export interface SessionPort {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly (number | null)[];
}

export interface LoadOptions {
  /** Rejects with `signal.reason`; a session that was built meanwhile is disposed. */
  readonly signal?: AbortSignal;
  /**
   * How much the engine rewrites the graph at load. "none" loads faster and runs 3 to 5 % slower.
   * @defaultValue "all"
   */
  readonly optimization?: "all" | "none";
  /**
   * Configuration entries of onnxruntime, by their full names. Models with int8 weights want
   * `{ "session.disable_quant_qdq": "1" }`: their weights are then folded to float32 at load, and run as fast.
   */
  readonly sessionConfig?: SessionConfig;
  /**
   * Whether outputs may stay on the GPU for {@link Session.keep}; `run` then reads them itself.
   * @defaultValue false
   */
  readonly keepsOutputs?: boolean;
}

export interface RunOptions {
  /** Names of the outputs wanted. @defaultValue all */
  readonly outputs?: readonly string[];
  /** Inputs that a session of the same engine has kept; the others are in the feeds. @defaultValue none */
  readonly kept?: Readonly<Record<string, KeptTensor>>;
  /**
   * Rejects with `signal.reason`. A run that has not begun is dropped; one that has begun finishes and its
   * result is discarded.
   */
  readonly signal?: AbortSignal;
}

/**
 * A loaded graph.
 *
 * Runs of one session may be started concurrently; they are executed in the order of their calls. Feeds are checked
 * against the graph before it runs: `engine/missing-input`, `engine/unknown-input`, `engine/input-mismatch`
 * (dtype or shape), `engine/unknown-output`; what the engine itself rejects is `engine/run-failed`, and
 * `engine/device-lost` where the browser took the GPU away. Disposal waits
 * for the runs that were accepted before it, is idempotent, and every later run is `engine/closed`.
 */
export interface Session extends AsyncDisposable {
  /** Which engine runs it. */
  readonly engine: EngineName;
  /** Input names, graph order. */
  readonly inputs: readonly string[];
  /** Output names, graph order. */
  readonly outputs: readonly string[];
  readonly inputPorts: readonly SessionPort[];
  readonly outputPorts: readonly SessionPort[];
  run(feeds: Feeds, options?: RunOptions): Promise<Outputs>;
  /** As `run`, and what comes out stays on the GPU. Only of sessions there that were loaded with `keepsOutputs`. */
  readonly keep?: ((feeds: Feeds, options?: RunOptions) => Promise<KeptOutputs>) | undefined;
}

/** The seam between graphs and whatever executes them. */
export interface Engine {
  readonly name: EngineName;
  /**
   * Builds a session from the bytes of a model, ONNX or a TensorFlow.js artifact, as the engine runs them. They may be reused afterwards.
   * @throws `engine/load-failed` when the engine cannot build it, `engine/closed` after `close()`.
   */
  load(model: Uint8Array, options?: LoadOptions): Promise<Session>;
  /** Disposes every session it loaded. Idempotent. */
  close(): Promise<void>;
}
