/** Weights of a device's own: what an app asks for and is told. */
import type { EngineName } from "@tributary/engine";
import type { AdapterKind } from "@tributary/protocol";
import type { LabelledExample } from "../runtime.ts";

export type { AdapterKind } from "@tributary/protocol";

export interface PersonaliseOptions {
  /** Kept first, as by `examples.add`. What is learned from are all examples that are kept here. */
  readonly examples?: readonly LabelledExample[];
  /**
   * What is trained: "head", the model's last layer; or "low-rank", adapters (LoRA) beside all of its layers, which reach further and take
   * longer.
   *
   * @defaultValue "head", or the one that was published
   */
  readonly adapters?: AdapterKind;
  /** Passes over the examples, 1 to 1000. @defaultValue what was published, and more where there are few examples */
  readonly epochs?: number;
  /** @defaultValue what was published */
  readonly learningRate?: number;
  /** Share of the examples, in [0.1, 0.5], that is not learned from: it decides whether the weights are adopted. @defaultValue 0.2 */
  readonly holdBack?: number;
  /** Most of the time that training may take of a thread, in (0, 1]. @defaultValue 0.5 in a page, else 1 */
  readonly dutyCycle?: number;
  readonly onProgress?: (progress: PersonalProgress) => void;
  /** Nothing changes when it aborts. */
  readonly signal?: AbortSignal;
}

/** What crosses to where the model runs. */
export type PersonaliseRequest = Pick<
  PersonaliseOptions,
  "adapters" | "epochs" | "learningRate" | "holdBack" | "dutyCycle"
>;

export interface PersonalProgress {
  /** Steps done, of all passes. */
  readonly step: number;
  readonly steps: number;
  /** Mean loss of the examples of the last step. */
  readonly loss: number;
}

/** Means over examples that were not learned from. */
export interface PersonalMeasurement {
  readonly loss: number;
  /** null where the loss knows no hits */
  readonly accuracy: number | null;
}

/** What came of it. Nobody else is told. */
export interface PersonalisationReport {
  readonly model: string;
  readonly adapters: AdapterKind;
  /** The version that the weights are for. */
  readonly version: number;
  /** False: they were no better on the examples that were held back, and what answered before answers still. */
  readonly adopted: boolean;
  /** Examples that were learned from. */
  readonly examples: number;
  readonly heldBack: number;
  /** By what answered before: the version, or earlier weights of this device's own. */
  readonly before: PersonalMeasurement;
  readonly after: PersonalMeasurement;
  readonly steps: number;
  readonly durationMs: number;
  readonly engine: EngineName;
  /** When it ended, in milliseconds since the epoch. */
  readonly at: number;
}

/** Why weights of a device's own are there no more. */
export type PersonalDropReason =
  /** On a new version they were no better than that version. */
  | "no-better"
  /** The examples that were held back are gone: nothing tells what they do to a new version. */
  | "no-examples"
  /** The new version has another graph, or is not to be personalised. */
  | "other-graph"
  /** They cannot be read any more. */
  | "unreadable"
  /** By the app, with the examples, or with everything. */
  | "erased";

/** What happened to weights of a device's own. */
export type PersonalChange =
  | { readonly change: "adopted" | "rejected"; readonly report: PersonalisationReport }
  /** On a new version they were still better. */
  | {
      readonly change: "kept";
      readonly version: number;
      readonly before: PersonalMeasurement;
      readonly after: PersonalMeasurement;
    }
  | { readonly change: "dropped"; readonly reason: PersonalDropReason };

/** How a model stands with weights of the device's own. */
export interface PersonalDiagnosis {
  /** Whether they answer now. */
  readonly active: boolean;
  /** Of the weights that are kept. */
  readonly report?: PersonalisationReport;
  /** The last that happened to them since the start. */
  readonly last?: PersonalChange;
}

/** Weights of this device's own for a model. They never leave it, and are encrypted where they lie. */
export interface PersonalWeights {
  /** What came of the training that they are from; undefined: there are none. */
  report(): Promise<PersonalisationReport | undefined>;
  /** What the training changed, as one safetensors file, such as the person may take elsewhere. undefined: there are none. */
  export(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Erases them: the version itself answers again. */
  clear(): Promise<void>;
}

/** Calls of a device about its own weights. */
export type PersonalRequest =
  | { readonly kind: "train"; readonly options: PersonaliseRequest }
  /** "restore": another tab adopted or erased some. */
  | { readonly kind: "report" | "export" | "clear" | "restore" };

export interface PersonalAnswer {
  readonly report?: PersonalisationReport | undefined;
  readonly file?: Uint8Array<ArrayBuffer> | undefined;
}
