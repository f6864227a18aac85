import type { EngineDownload, EngineName } from "@tributary/engine";
import type { ExampleLabel, LabelValues } from "@tributary/engine/batches";
import type { GraphPort, IneligibleReason, ModelProcessing } from "@tributary/protocol";
import type { Tensor, TensorData } from "@tributary/tensor";
import type { ErrorCode, Logger } from "@tributary/core";
import type { Consent, Consents } from "./consent.ts";
import type { Diagnosis, VariantName } from "./diagnosis.ts";
import type { Explanation, ExplainOptions } from "./explain/explanation.ts";
import type { ExampleOptions } from "./examples/example-policy.ts";
import type { Answer, FeedbackLabel } from "./feedback/feedback.ts";
import type { Erasure, ForgetOptions } from "./forget/erasure.ts";
import type { DeviceHealthOptions } from "./health/health-setting.ts";
import type { ImageSource } from "./images/image-input.ts";
import type {
  PersonalChange,
  PersonaliseOptions,
  PersonalisationReport,
  PersonalProgress,
  PersonalWeights,
} from "./personal/personalisation.ts";
import type { Metrics } from "./telemetry/model-metrics.ts";
import type { BatchingOptions } from "./inference/batching.ts";
import type { StreamOptions, StreamSource } from "./inference/stream.ts";
import type { TextInput, Tokenizers } from "./text/text.ts";

/** Whom the device believes. */
export type Trust =
  | {
      /** The TUF root the app pins: its bytes, or where the app ships it. */
      readonly root: Uint8Array | URL | string;
      /**
       * Public key of the app's enrolment issuer, in hex or as the `x` of its JWK. With it the device takes part only in cohorts whose
       * members that issuer vouched for, whatever a plan says; without it the issuer is the one that the signed plan names.
       */
      readonly issuer?: string;
      /**
       * Fewest members of a sum that this device's update may enter. Below 16 it is a trial, and not private.
       *
       * @defaultValue 16
       */
      readonly minimumCohort?: number;
      /**
       * How often the device gives to sums on one version of a task's model.
       *
       * @defaultValue 2
       */
      readonly maxContributionsPerVersion?: number;
      /**
       * Least time between two participations of the device in a task, in milliseconds, also where the task's plan says less.
       *
       * @defaultValue 0
       */
      readonly minimumSeparationMs?: number;
      /**
       * Whether the device takes no part in tasks that opted out of secure aggregation, whose coordinator sees each
       * update.
       *
       * @defaultValue false
       */
      readonly requireSecureAggregation?: boolean;
    }
  /** Believe the root that the coordinator shows on the very first contact. Warns; not for production. */
  | "first-use";

/** Who asks for a token; plain data, to be posted to the app's backend as JSON. */
export interface TokenRequest {
  readonly deviceId: string;
  /** Raw Ed25519 public key, base64url: the `x` of its JWK. */
  readonly publicKey: string;
  readonly population: string;
}

/** Options that every platform shares; `@tributary/runtime/browser` and `/node` add their own. */
export interface RuntimeOptions {
  /** The coordinator's origin, such as `https://fl.example.org`. Either this or `models`. */
  readonly coordinator?: string | URL;
  /**
   * A folder of released files, as `tributary bundle` writes it, on any static server: no coordinator, no enrolment, no rounds. What
   * is in it runs once its signatures hold, as from a coordinator; new versions are looked for every five minutes or so.
   */
  readonly models?: string | URL;
  /**
   * Such a folder that the app ships beside a coordinator: where nothing is installed and the coordinator cannot be reached, its
   * release runs. It may have expired: what is newer comes with the network.
   *
   * @defaultValue none
   */
  readonly seed?: string | URL;
  readonly trust: Trust;
  /** Population the device enrols in. @defaultValue "default" */
  readonly population?: string;
  /**
   * Where to ask for what admits this device: an enrolment token, or the certificate that the app's own issuer gives for the key in
   * `device`. Asked again before the certificate expires.
   */
  readonly token?: string | ((device: TokenRequest) => Promise<string> | string);
  /**
   * What the app says of the device, such as `kiosk`: a task may ask only devices with certain tags. They stay here.
   *
   * @defaultValue none
   */
  readonly tags?: readonly string[];
  /**
   * Most bytes of models, plans and unfinished downloads kept on the device, at least 1 MiB. Beyond it, as beyond what the browser
   * or disk allows, models that are not open give way, least recently used first; an update needs room beside the version that runs.
   *
   * @defaultValue 2 GiB in Node; in a browser what that allows
   */
  readonly maxStorageBytes?: number;
  /**
   * Whether this device tells the coordinator, under its own name, how each version fares on it: calls, crashes, failed self-checks,
   * errors by code and how long calls take, in ten bins. Nothing of what it was asked or answered. For rollouts, which compare devices
   * that have a new version with those that have not; the app says so to the people whose devices they are.
   *
   * @defaultValue false
   */
  readonly deviceHealth?: boolean | DeviceHealthOptions;
  /**
   * What makes tokens of texts, by the names that models know them by (`processing`).
   *
   * @defaultValue none: models of text are fed with token ids
   */
  readonly tokenizers?: Tokenizers;
  /** Sent to the coordinator, at most 64 characters. @defaultValue "tributary-runtime" and its version */
  readonly software?: string;
  /** @defaultValue silent */
  readonly log?: Logger;
}

/** The device runtime, as an app sees it. */
export interface Runtime extends AsyncDisposable {
  /**
   * Opens a model: the newest verified release, or without network the last one that was verified here.
   * @throws `runtime/model-unavailable` when there is neither.
   */
  model(name: string, options?: ModelOptions): Promise<ModelHandle>;
  /** Puts models that are open one behind the other; they stay open by themselves. */
  chain(steps: readonly ChainStep[]): ModelChain;
  /** Begins to take part in federated rounds, on the examples kept on this device. One participation at a time. */
  participate(options: ParticipateOptions): Participation;
  status(): Promise<RuntimeStatus>;
  /**
   * Which engines were tried, with errors and times, why each model runs where it does, how its calls fare, and what is kept on
   * the device.
   */
  diagnose(): Promise<Diagnosis>;
  /**
   * Erases all that this device knows of a person: examples, what was learned from them, keys, consent, in which rounds it took part;
   * and has the coordinator erase its record of the device. Reads the stores back empty. Ends the participation; the device connects
   * again, as a new one, with the next `participate()` or start. Models stay.
   *
   * @throws `store/not-erased`, `store/*`; with `requireCoordinator` what kept it from being told, before anything is erased
   */
  forget(options?: ForgetOptions): Promise<Erasure>;
  /** How the models fared here: latencies, errors, what they predicted and how surely. It is told to the page alone. */
  metrics(): Promise<Metrics>;
  /** What happens, from now on. Ends with `close()`. Bounded: a consumer that lags loses the oldest. */
  events(options?: { readonly signal?: AbortSignal }): AsyncIterable<RuntimeEvent>;
  /** Stops everything and lets go of all resources. Idempotent. */
  close(): Promise<void>;
}

export interface ModelOptions {
  /** @defaultValue "stable" */
  readonly channel?: string;
  /**
   * "auto" swaps a new version in when it arrives, "manual" offers it in `updates()`. A version that is withdrawn is left at once either way.
   *
   * @defaultValue "auto"
   */
  readonly update?: "auto" | "manual";
  /**
   * Which form of a version runs. "auto": what the device measured to be fastest of those that were published for its engines; its
   * weights come as int8, at a quarter of the size. "float32": the exact weights, for apps that need the published numbers.
   *
   * @defaultValue "auto"
   */
  readonly variant?: ModelVariant;
  /** How calls share runs, where the model has a batch dimension. Of several openings, what the last one says holds. */
  readonly batching?: BatchingOptions;
  /**
   * Most calls of `run` that may wait for their answers, 1 to 65536; one more is refused with `runtime/overloaded`.
   *
   * @defaultValue 256
   */
  readonly maxQueued?: number;
  /** Which examples stay on this device. Of several openings, what the last one says holds. */
  readonly examples?: ExampleOptions;
  /** Bytes of the model, and of the engine where it is not there yet, as they arrive. */
  readonly onProgress?: (progress: DownloadProgress) => void;
  readonly signal?: AbortSignal;
}

/** What an app asks for of a model's forms. */
export type ModelVariant = "auto" | "float32";

/** What has arrived of what a model needs. */
export type DownloadProgress = ModelProgress | EngineProgress;

export interface ModelProgress {
  readonly part: "model";
  readonly model: string;
  readonly version: number;
  readonly receivedBytes: number;
  /** What has to come, as far as is known yet: deltas, where files are made of those of the version before; else whole files. */
  readonly totalBytes: number;
  /** Of the version's files as they are: what would come without deltas. */
  readonly fullBytes: number;
}

/** Of the engine's WASM file, which all models share. A browser that has it in its cache tells of it too. */
export interface EngineProgress extends EngineDownload {
  readonly part: "engine";
}

/** What runs of a model at the moment. */
export interface ModelState {
  readonly model: string;
  readonly channel: string;
  readonly version: number;
  readonly engine: EngineName;
  /** The form that runs. */
  readonly variant: VariantName;
  /** Why this engine and not a faster one, where there is something to tell. */
  readonly note?: string;
  /** In the graph's order; a free dimension, such as the batch, is -1. */
  readonly inputs: readonly GraphPort[];
  readonly outputs: readonly GraphPort[];
  readonly labels?: readonly string[];
  /** How images become inputs and outputs answers, as it was published. */
  readonly processing?: ModelProcessing;
  /** Newest verified version, where it is not the one that runs. */
  readonly available?: number;
}

/**
 * A value of a feed: a tensor, or flat values whose batch size follows from their length. Those are converted to the input's
 * element type: whole types take whole numbers in their range (int64 also bigints), bool takes 0, 1 and booleans, float16
 * raw bits (`Uint16Array`). Bytes are value / 255 where the input is float32 or float64.
 */
export type FeedValue = Tensor | TensorData | readonly number[] | readonly bigint[] | readonly boolean[];

/** What `run` takes for an input: also an image, where the model's `processing` says how one becomes this input. */
export type InputValue = FeedValue | ImageSource | TextInput;

export interface RunInferenceOptions {
  /** Rejects with `signal.reason`: a call that waits is taken out of the queue, of one that runs the answer is dropped. */
  readonly signal?: AbortSignal;
  /**
   * Give the feeds' memory away instead of having it copied: typed arrays, and all of their buffers, cannot be used afterwards. A
   * call whose worker is lost is then not made again.
   *
   * @defaultValue false
   */
  readonly transfer?: boolean;
  /** Whether weights of this device's own answer, where there are some. @defaultValue true */
  readonly personal?: boolean;
}

export interface RankedClass {
  readonly index: number;
  /** The model's, or the index as a text. */
  readonly label: string;
  readonly probability: number;
}

export interface Inference {
  /** The version that answered. */
  readonly version: number;
  /** It answered with weights of this device's own. */
  readonly personal?: true;
  readonly outputs: Readonly<Record<string, Tensor>>;
  /**
   * The output that the model's `processing` names as probabilities, [batch * classes] flat. Without it: the first float32 output,
   * softmax over it unless its name says that the model does so. Empty if there is none.
   */
  readonly probabilities: Float32Array;
  /** Index of the largest probability of each row. */
  readonly classes: readonly number[];
  /** The best classes of each row, best first: as many as the model's `processing` says, or one. */
  readonly top: readonly (readonly RankedClass[])[];
  /** Time in the engine; of calls that shared a run, the time of that run. */
  readonly durationMs: number;
}

/** An open model. It follows the release: `version` and `state` are what runs now. */
export interface ModelHandle {
  readonly name: string;
  readonly state: ModelState;
  readonly version: number;
  /**
   * Runs a batch: a value for each input, by its name.
   *
   * Calls that are made together, or while the model runs, share a run where the model has a batch dimension (`batching`).
   *
   * An image is resized and normalized where the model runs. An ImageBitmap or VideoFrame is handed over, whatever `transfer` says,
   * and closed there.
   *
   * @throws `engine/missing-input`, `engine/unknown-input`, `engine/input-mismatch` (element type, shape or values),
   *   `runtime/unsupported-image`, `runtime/overloaded` (`maxQueued`), before anything runs
   */
  run(feeds: Readonly<Record<string, InputValue>>, options?: RunInferenceOptions): Promise<Inference>;
  /**
   * Why the model answers as it does: how much each value of an input speaks for one value of the output. One row at a time; the first
   * explanation by gradients fetches their graph.
   *
   * @throws as `run`; `runtime/not-explainable` where the model has no gradients, or the options do not fit it
   */
  explain(feeds: Readonly<Record<string, InputValue>>, options?: ExplainOptions): Promise<Explanation>;
  /**
   * Runs the values of a source, one after the other, and answers in their order: feeds by name, or of a model whose only input is an
   * image, images.
   */
  stream(
    source: StreamSource<Readonly<Record<string, InputValue>> | ImageSource>,
    options?: StreamOptions,
  ): AsyncIterable<Inference>;
  /**
   * Says what the right class of an answer was, whenever that is known: `runtime.metrics()` then shows how often the model was right, and
   * with consent to telemetry so do sums over many devices. The class itself is counted nowhere, and nothing is learned: for that,
   * `examples.add()`.
   *
   * @throws `runtime/invalid-feedback` where it is no answer of this model, or the label none of its classes
   */
  feedback(answer: Answer, label: FeedbackLabel): Promise<void>;
  readonly examples: ExampleCollection;
  /**
   * Trains weights of this device's own on the examples that are kept here, which never leave it, and has them answer from then on, if they
   * do better on examples that were held back. One training at a time on a device: it waits for that of a round. No run begins while the page
   * is touched.
   *
   * @throws `runtime/not-personalisable` where the model was published without what it takes, `runtime/too-few-examples`
   */
  personalise(options?: PersonaliseOptions): Promise<PersonalisationReport>;
  readonly personal: PersonalWeights;
  /**
   * New versions: with "manual" each waits for `apply()`, with "auto" it has been applied. A version that waits at
   * the moment of the call comes first.
   */
  updates(options?: { readonly signal?: AbortSignal }): AsyncIterable<ModelUpdate>;
  /** Checks for a new release now. */
  refresh(options?: { readonly signal?: AbortSignal }): Promise<ModelState>;
  /** Lets the model go; the runtime stays open. Idempotent. */
  close(): Promise<void>;
}

/** A model of a chain, and what it is fed. */
export interface ChainStep {
  readonly model: ModelHandle;
  /**
   * Of every model but the first: which output of the model before each of its inputs gets, by the input's name.
   *
   * @defaultValue the only output, for the only input
   */
  readonly from?: Readonly<Record<string, string>>;
}

/** Models one behind the other. */
export interface ModelChain {
  /**
   * Runs all of them on the feeds of the first, and answers for the last. What goes from one to the next does not leave the worker, and,
   * between two models on WebGPU, not the GPU.
   *
   * @throws `engine/unknown-output`, `engine/unknown-input`, `engine/input-mismatch` or `engine/missing-input` where the models do not
   *   fit together, and as `ModelHandle.run`
   */
  run(
    feeds: Readonly<Record<string, InputValue>>,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Inference>;
}

export interface ModelUpdate {
  readonly model: string;
  readonly version: number;
  readonly previousVersion: number;
  readonly applied: boolean;
  /** Swaps the version in; requests under way finish on the old one. Idempotent. */
  apply(): Promise<ModelState>;
}

/** Labelled examples for local learning. They never leave the device, and are encrypted where they lie. */
export interface ExampleCollection {
  /**
   * Adds one: each of the model's inputs by its name, and what is to be learned of it. An image is prepared as `run` does it, where the
   * model runs; it stays the app's.
   *
   * @throws `runtime/invalid-example`, saying what was expected of which input or label, `runtime/unsupported-image`
   */
  add(example: LabelledExample): Promise<void>;
  /** Adds many at once; none where one of them does not fit. */
  addAll(examples: readonly LabelledExample[]): Promise<void>;
  count(): Promise<number>;
  /** All that are kept, oldest first. */
  list(): Promise<readonly KeptExample[]>;
  /**
   * All that are kept, as one safetensors file, such as the person may take elsewhere: a tensor [N, ...] for each input, and `labels`
   * or `labels.<output>`. `tributary-agent --examples` reads it, and so does Python. undefined: there are none.
   */
  export(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  clear(): Promise<void>;
}

export interface LabelledExample {
  /**
   * Of a classifier the class, from 0; else the numbers to be learned, as many as the output has of an example. Of a model
   * with several outputs: that of the first, or those of several by name, as the task's losses need them.
   */
  readonly label: LabelValue | Readonly<Record<string, LabelValue>>;
  readonly [input: string]: InputValue | LabelledExample["label"];
}

export type LabelValue = LabelValues | readonly number[];

/** An example as it is kept on the device. */
export interface KeptExample {
  /** Flat, by the input's name. Bytes of a float input are value / 255. */
  readonly inputs: Readonly<Record<string, TensorData>>;
  readonly label: ExampleLabel;
}

export interface ParticipateOptions {
  /**
   * What the person agreed to: nothing is sent, not even a check-in, without it. `true` is consent to training, and to measuring
   * versions, on the examples kept here; telemetry has a consent of its own, and nothing of it is counted before.
   */
  readonly consent: Consent;
  /** Of those that use examples. @defaultValue every task of the models that are open */
  readonly task?: string;
  /**
   * "idle" trains only while nobody has touched the page for three seconds, or nobody sees it; "visible" only while it is seen. A training
   * under way pauses. In Node nothing tells: the device trains.
   *
   * @defaultValue "always"
   */
  readonly when?: "always" | "visible" | "idle";
  /**
   * Most of the time that training may take of a thread, in (0, 1]: after each run it rests so long.
   *
   * @defaultValue 0.5 in a page with `when: "always"`, else 1
   */
  readonly dutyCycle?: number;
  /**
   * Share of the examples, in [0, 0.5], that each training leaves out to be measured on them before and after: the `trained` event tells
   * what came of it, and nobody else hears. An update after which the loss exploded is not sent.
   *
   * @defaultValue 0: the loss of the training itself is watched
   */
  readonly holdBack?: number;
}

/** What a training did to examples that it did not see. Means; stays on the device. */
export interface HeldBackMeasurement {
  readonly examples: number;
  readonly lossBefore: number;
  readonly lossAfter: number;
  /** null where the task's loss knows no hits */
  readonly accuracyBefore: number | null;
  readonly accuracyAfter: number | null;
}

export type ParticipationState = "waiting" | "training" | "ready" | "reporting" | "stopped";

/** Taking part. Revocable at any time. */
export interface Participation {
  readonly state: ParticipationState;
  events(options?: { readonly signal?: AbortSignal }): AsyncIterable<ParticipationEvent>;
  /**
   * Gives or withdraws consents, one apart from the other: what is left out stays as it is. Without consent to training a training
   * under way is cancelled; without consent to telemetry what was counted is forgotten.
   */
  consent(change: Partial<Consents>): Promise<void>;
  /** Leaves; a training under way is cancelled and its update discarded. Idempotent. */
  stop(): Promise<void>;
}

/** What happens to one participation. `at` is milliseconds since the epoch. */
export type ParticipationEvent =
  | { readonly type: "state"; readonly at: number; readonly state: ParticipationState }
  | { readonly type: "checked-in"; readonly at: number; readonly task: string; readonly examples: number }
  /** The device is none of those that the task asks now: the rule that it does not meet. */
  | {
      readonly type: "ineligible";
      readonly at: number;
      readonly task: string;
      readonly reason: IneligibleReason;
    }
  | {
      readonly type: "offered";
      readonly at: number;
      readonly task: string;
      readonly roundId: string;
      readonly round: number;
      readonly baseVersion: number;
    }
  | {
      readonly type: "progress";
      readonly at: number;
      readonly roundId: string;
      readonly step: number;
      readonly steps: number;
      readonly loss: number;
    }
  | {
      readonly type: "trained";
      readonly at: number;
      readonly roundId: string;
      readonly numExamples: number;
      readonly loss: number;
      /** null where the task's loss knows no hits */
      readonly accuracy: number | null;
      readonly durationMs: number;
      readonly engine: EngineName;
      /** Why this engine and not a faster one, where there is something to tell. */
      readonly note?: string;
      /** With `holdBack`: on the examples that were left out, before and after. */
      readonly heldBack?: HeldBackMeasurement;
    }
  /** Versions were measured on examples, or what was counted was read; for `examples` only how many. */
  | {
      readonly type: "measured";
      readonly at: number;
      readonly roundId: string;
      readonly kind: "evaluate" | "telemetry";
      readonly numExamples: number;
      readonly durationMs: number;
    }
  /** The device is in a cohort whose sum alone the coordinator will see. `private` is false below 16 members. */
  | {
      readonly type: "secured";
      readonly at: number;
      readonly roundId: string;
      readonly cohort: number;
      readonly private: boolean;
    }
  /** `masked` is false where the task has opted out of secure aggregation: the coordinator sees this device's update. */
  | {
      readonly type: "uploaded";
      readonly at: number;
      readonly roundId: string;
      readonly sizeBytes: number;
      readonly masked: boolean;
    }
  | {
      readonly type: "outcome";
      readonly at: number;
      readonly roundId: string;
      readonly result: string;
      readonly version?: number;
      readonly code?: string;
    }
  | {
      readonly type: "failed";
      readonly at: number;
      readonly roundId?: string;
      readonly code: string;
      readonly message: string;
    };

export type ConnectionState = "connecting" | "connected" | "offline" | "closed";

/** What happens in a runtime. `at` is milliseconds since the epoch. */
export type RuntimeEvent =
  | {
      readonly type: "connection";
      readonly at: number;
      readonly state: ConnectionState;
      readonly retryInMs?: number;
      readonly code?: string;
    }
  | {
      readonly type: "enrolled";
      readonly at: number;
      readonly deviceId: string;
      readonly expiresAtMs: number;
    }
  | ({ readonly type: "progress"; readonly at: number } & DownloadProgress)
  | {
      readonly type: "update-available";
      readonly at: number;
      readonly model: string;
      readonly version: number;
      readonly previousVersion: number;
    }
  | {
      readonly type: "running";
      readonly at: number;
      readonly model: string;
      readonly version: number;
      readonly previousVersion: number | null;
      readonly appliedAfterMs: number | null;
      readonly state: ModelState;
    }
  /**
   * A version was verified and did not take the place of the one that runs: it failed its self-check, could not be loaded, needs a newer
   * runtime, or ended the process that it was started in.
   */
  | {
      readonly type: "update-refused";
      readonly at: number;
      readonly model: string;
      readonly version: number;
      readonly code: ErrorCode;
      readonly message: string;
    }
  /** The browser took the GPU away, and the version that runs was opened anew: on the GPU again, or on WASM. */
  | {
      readonly type: "engine-changed";
      readonly at: number;
      readonly model: string;
      readonly state: ModelState;
    }
  | { readonly type: "participation"; readonly at: number; readonly event: ParticipationEvent }
  /** A step of `personalise`. */
  | ({ readonly type: "personalising"; readonly at: number; readonly model: string } & PersonalProgress)
  /** What happened to weights of this device's own: adopted or not, kept on a new version, or gone. */
  | ({ readonly type: "personal"; readonly at: number; readonly model: string } & PersonalChange)
  /** `forget()` was called, here or in another tab: consent that the page keeps is to go too. */
  | { readonly type: "forgotten"; readonly at: number }
  | {
      readonly type: "problem";
      readonly at: number;
      readonly code: string;
      readonly message: string;
      readonly retryable: boolean;
    };

/** A state of the certificate log: its size, and its root in hex. */
export interface SeenLogHead {
  readonly treeSize: number;
  readonly rootHash: string;
}

export interface RuntimeStatus {
  /** Absent before the first enrolment. */
  readonly deviceId?: string;
  readonly connection: ConnectionState;
  readonly models: readonly ModelState[];
  readonly participation: ParticipationState;
  readonly bytesUp: number;
  readonly bytesDown: number;
  readonly roundsCommitted: number;
  /**
   * The newest head of the certificate log that this device saw signed, once it met a secure task. An app that sends it home lets its
   * auditor compare it with the log that is shown there.
   */
  readonly certificateLog?: SeenLogHead;
}
