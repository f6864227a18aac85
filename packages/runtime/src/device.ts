import type { Env } from "@tributary/core";
import type { DeviceConditions } from "@tributary/federation";
import type { Consent, Consents } from "./consent.ts";
import type { Diagnosis } from "./diagnosis.ts";
import type { SecAggCrypto } from "@tributary/secagg";
import type { Tensor } from "@tributary/tensor";
import type { EngineProvider } from "./engine-provider.ts";
import type { Explanation, ExplainRequest } from "./explain/explanation.ts";
import type { PersonalAnswer, PersonalRequest } from "./personal/personalisation.ts";
import type { ImageInput } from "./images/image-input.ts";
import type { ImageReader } from "./images/image-tensor.ts";
import type { Answer, FeedbackLabel } from "./feedback/feedback.ts";
import type { Erasure, ForgetOptions } from "./forget/erasure.ts";
import type { ExampleOptions } from "./examples/example-policy.ts";
import type { BatchingOptions } from "./inference/batching.ts";
import type {
  Inference,
  ModelState,
  ModelVariant,
  RuntimeEvent,
  RuntimeStatus,
  TokenRequest,
} from "./runtime.ts";
import type { DeviceStore, StoredExample } from "./store/device-store.ts";
import type { Metrics } from "./telemetry/model-metrics.ts";
import type { ReleaseSource } from "./release-source.ts";
import type { TrustLimits } from "./trust-limits.ts";
import type { Fetch } from "./transport/requests.ts";
import type { OpenSocket } from "./transport/socket.ts";
import type { BlobHolds } from "./updater/blob-holds.ts";
import type { SharedDownloads } from "./updater/shared-downloads.ts";

/** What a device needs to know. Plain data but for the token: it can be posted to a worker. */
export interface DeviceConfig {
  readonly source: ReleaseSource;
  readonly population: string;
  /** The pinned TUF root; absent with trust "first-use". */
  readonly trustedRoot?: Uint8Array;
  readonly software: string;
  readonly limits: TrustLimits;
  /** That the app gave the device. */
  readonly tags: readonly string[];
  /** How often the device tells by itself how versions fare on it. @defaultValue never */
  readonly healthIntervalMs?: number | undefined;
  /** Most bytes of models that are kept. @defaultValue what the platform allows */
  readonly maxStorageBytes?: number | undefined;
}

/** The platform, as a device sees it: everything with a side effect comes through here. */
export interface DevicePorts {
  readonly env: Env;
  readonly store: DeviceStore;
  readonly engines: EngineProvider;
  readonly conditions: ConditionsPort;
  /** Decodes and scales images, where the platform can. */
  readonly images?: (() => Promise<ImageReader>) | undefined;
  /** Lets what a page said come in: where one is near, training is polite to it. */
  readonly listen?: (() => Promise<void>) | undefined;
  /** Asked for by the first secure round. */
  readonly openSecAggCrypto: () => Promise<SecAggCrypto>;
  /** How sockets are opened: asked for once, by devices that connect. */
  readonly openSocket: () => Promise<OpenSocket>;
  readonly fetch: Fetch;
  /** Runs work on the stored metadata alone, where others share the store: the tabs of a site. */
  readonly exclusive?: Exclusive | undefined;
  /** What others that share the store need of it. */
  readonly holds?: BlobHolds | undefined;
  /** Downloads of others that share the store. */
  readonly downloads?: SharedDownloads | undefined;
  /** Asks the app for an enrolment token. Without it: inference only, new versions are looked for by polling. */
  readonly token?: ((device: TokenRequest) => Promise<string>) | undefined;
}

/** What the platform tells of the device. */
export interface ConditionsPort {
  read(): Promise<Omit<DeviceConditions, "tags"> & { readonly saveData?: boolean }>;
  /** Calls back when something may have changed, where the platform tells. The returned function ends it. */
  follow(changed: () => void): () => void;
}

/** Runs `work` when nobody else runs theirs. Rejects with `signal.reason` when aborted before. */
export type Exclusive = <T>(work: () => Promise<T>, signal: AbortSignal) => Promise<T>;

/** A model that is being opened or is open, by name and channel. */
export interface OpenModelRequest {
  readonly model: string;
  readonly channel: string;
  readonly update: "auto" | "manual";
  /** @defaultValue that of the opening before, or "auto" */
  readonly variant?: ModelVariant;
  /** @defaultValue that of the opening before, or `BATCHING_DEFAULTS` */
  readonly batching?: Required<BatchingOptions>;
  /** @defaultValue that of the opening before, or `EXAMPLE_DEFAULTS` */
  readonly examples?: ExampleOptions;
}

/**
 * The platform-neutral device: one object of asynchronous methods over plain data, so that a page can drive it in a
 * worker and Node in its own thread. `createRuntimeOf` makes the app's `Runtime` of it. An abort crosses a worker
 * boundary as an id: see `worker/`.
 */
export interface Device {
  openModel(request: OpenModelRequest, options?: CallOptions): Promise<ModelState>;
  /** Lets one opening go. The last one releases the session. */
  closeModel(model: string): Promise<void>;
  run(model: string, feeds: RunFeeds, options?: RunCallOptions): Promise<Inference>;
  /** Models one behind the other, on the feeds of the first; answers for the last. */
  runChain(links: readonly ChainLinkRequest[], feeds: RunFeeds, options?: CallOptions): Promise<Inference>;
  /** `run` copies tensors that are not given, before it returns. Where it does not, the caller has to. */
  readonly copiesFeeds?: boolean;
  /** Why the model answers this row as it does. @throws `runtime/not-explainable` */
  explain(
    model: string,
    feeds: RunFeeds,
    request: ExplainRequest,
    options?: CallOptions,
  ): Promise<Explanation>;
  /** Counts whether an answer was right. @throws `runtime/invalid-feedback` */
  feedback(model: string, answer: Answer, label: FeedbackLabel): Promise<void>;
  /** Trains weights of the device's own for a model that is open, tells of them, or erases them. */
  personal(model: string, request: PersonalRequest, options?: CallOptions): Promise<PersonalAnswer>;
  /** Looks for a new release now. */
  refresh(model: string, options?: CallOptions): Promise<ModelState>;
  /** Swaps in the newest verified version. */
  applyUpdate(model: string): Promise<ModelState>;
  addExamples(model: string, examples: readonly ExampleDraft[]): Promise<void>;
  countExamples(model: string): Promise<number>;
  /** All examples kept for a model, oldest first: for a page that shows the user what it keeps. */
  listExamples(model: string): Promise<readonly StoredExample[]>;
  /** All examples kept for a model that is open, as a safetensors file. */
  exportExamples(model: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  clearExamples(model: string): Promise<void>;
  participate(request: ParticipateRequest): Promise<void>;
  /** Replaces the consent of a participation. */
  setConsent(consent: Consents): Promise<void>;
  /** With "idle" or "visible": whether the device may train now. */
  setIdle(idle: boolean): Promise<void>;
  /** Whether a person touches the page: no step of a training begins then. */
  setBusy(busy: boolean): Promise<void>;
  /** Where only the page knows the battery: its state, on every change. */
  setBattery(battery: DeviceConditions["battery"]): Promise<void>;
  stopParticipating(): Promise<void>;
  /** Erases all that the device knows of a person, here and at the coordinator. */
  forget(options: ForgetOptions): Promise<Erasure>;
  /** The worker before this one was lost while these models were open. */
  noteCrash(): Promise<void>;
  /** Tries the control connection now instead of at its next try: the network is back. */
  reconnect(): Promise<void>;
  status(): Promise<RuntimeStatus>;
  metrics(): Promise<Metrics>;
  diagnose(): Promise<Diagnosis>;
  /** Events from now on. The returned function ends it. */
  subscribe(listener: (event: RuntimeEvent) => void): () => void;
  close(): Promise<void>;
}

/** What each input gets: a tensor, or an image that becomes one where the model runs. */
export type RunFeeds = Readonly<Record<string, Tensor | ImageInput>>;

/** A model of a chain. */
export interface ChainLinkRequest {
  readonly model: string;
  /** Output of the model before by the input that it feeds. @defaultValue the only one, for the only input */
  readonly from?: Readonly<Record<string, string>> | undefined;
}

/** An example whose images are still to become values of their inputs, where the model runs. */
export interface ExampleDraft extends Omit<StoredExample, "inputs"> {
  readonly inputs: readonly (StoredExample["inputs"][number] | ImageInput)[];
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface RunCallOptions extends CallOptions {
  /** The feeds' memory is given: it may be handed over to a worker instead of being copied. @defaultValue false */
  readonly transfer?: boolean;
  /** Whether weights of the device's own answer, where there are some. @defaultValue true */
  readonly personal?: boolean;
}

export interface ParticipateRequest {
  readonly consent: Consent;
  readonly task?: string;
  readonly when: "always" | "visible" | "idle";
  /** @defaultValue 0.5 where a page is near and `when` is "always", else 1 */
  readonly dutyCycle?: number;
  /** @defaultValue 0 */
  readonly holdBack?: number;
}
