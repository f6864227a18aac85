import type { Digest } from "@tributary/core";
import type { ExampleTable } from "@tributary/engine/examples";
import type { RoundState } from "@tributary/federation";
import type { TaskReason, TaskSpec } from "@tributary/protocol";
import type { ParameterSet, QuantizedStep } from "@tributary/tensor";
import type { ClientData } from "../data/client-data.ts";
import type { DeviceLabels } from "../fleet-model/conditions.ts";
import type { FleetModel } from "../fleet-model/fleet-model.ts";
import type { RoundRow } from "./round-row.ts";

export interface SimulateOptions {
  /** The task, with its defaults filled in. Its data set for evaluation is not used: see `heldOut`. */
  readonly spec: TaskSpec;
  /** ONNX file. */
  readonly model: Uint8Array;
  readonly data: ClientData;
  /** What versions are measured on; undefined: they are not. */
  readonly heldOut?: ExampleTable | undefined;
  /** What the server trains on itself, where the task's strategy compares with that; the data set that the task names is not used. */
  readonly trusted?: ExampleTable | undefined;
  /** Everything random follows from it. */
  readonly seed: string;
  readonly fleet?: Partial<FleetModel>;
  /** Languages and tags of devices, for tasks whose eligibility asks for them. */
  readonly labels?: Partial<DeviceLabels>;
  /**
   * Rounds to commit, if no stop rule of the task ends it before.
   * @defaultValue those of the task, else 100
   */
  readonly rounds?: number | undefined;
  /** Ends after the first round whose version is at least as good on the held-out examples, 0 to 1. */
  readonly targetAccuracy?: number | undefined;
  /**
   * Measures every so manyth version, and the last.
   * @defaultValue 1
   */
  readonly evaluateEvery?: number | undefined;
  /**
   * Threads that train.
   * @defaultValue one for each processor
   */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onRound?: (row: RoundRow) => void;
  /** A version was made, before its round's row. */
  readonly onVersion?: (made: SimulatedVersion) => void;
  /** The round under way. */
  readonly onProgress?: (progress: SimulationProgress) => void;
}

export interface SimulatedVersion {
  readonly version: number;
  readonly weights: ParameterSet;
  /** That made it of the version before, by parameter; undefined where steps are not rounded. */
  readonly steps: ReadonlyMap<string, QuantizedStep> | undefined;
}

export interface SimulationProgress {
  readonly round: number;
  readonly rounds: number;
  readonly phase: RoundState["phase"];
  readonly ready: number;
  readonly goalCount: number;
}

export interface SimulationResult {
  /** With what the task left unsaid. */
  readonly spec: TaskSpec;
  readonly rows: readonly RoundRow[];
  /** Why it ended, as a task says it; null: `targetAccuracy` was reached. */
  readonly stopped: TaskReason | null;
  /** The first round that reached `targetAccuracy`; null: none did, or there is none. */
  readonly roundsToTarget: number | null;
  /** The version that inference devices run at the end. */
  readonly released: number;
  /** The last version, as ONNX. */
  readonly model: Uint8Array<ArrayBuffer>;
  readonly weights: ParameterSet;
  /** SHA-256 of the model and of its weights as safetensors. */
  readonly modelDigest: Digest;
  readonly weightsDigest: Digest;
}

/** A Monday, midnight UTC: where simulated time begins. */
export const SIMULATION_START_MS = Date.UTC(2026, 0, 5);
