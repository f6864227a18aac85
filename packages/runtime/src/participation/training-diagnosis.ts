import type { WholeReason } from "@tributary/protocol";
import type { EngineName } from "@tributary/engine";
import type { TriedEngine } from "../diagnosis.ts";

/** Why the next step of a local training waits. */
export type PauseReason =
  /** A person touches the page, or did so half a second ago. */
  | "input"
  /** `when: "idle"`, and the page is not idle. */
  | "not-idle"
  /** `when: "visible"`, and nobody sees the page. */
  | "hidden"
  /** The share of the time that training may take. */
  | "duty-cycle";

/** How the batches of the last local training were taken. */
export interface BatchDiagnosis {
  readonly task: string;
  /** Examples of a batch, as the plan says. */
  readonly batchSize: number;
  /** Examples of a run: fewer than `batchSize` where batches are cut. */
  readonly microBatchSize: number;
  /**
   * Why batches are not cut: whole ones are planned or measured to be short, nobody is at the device, the graph runs on WebGPU, or the plan
   * has no parts that add up to its step, for what its loss or model is; undefined where they are.
   */
  readonly whole?: WholeReason | "measured-short" | "no-page" | "webgpu" | "not-published";
  /** By the examples of a run: how many were measured, and the median of the last 16, in milliseconds; 0 stands for the optimizer's step. */
  readonly runs: Readonly<Record<number, { readonly count: number; readonly medianMs: number }>>;
}

/** What the last training or measurement ran on. */
export interface TrainingEngine {
  readonly engine: EngineName;
  /** Why this engine and not a faster one, in words. */
  readonly note?: string;
  /** The engines that were compared on one batch, the reference first; empty where there was one only. */
  readonly tried: readonly TriedEngine[];
}

/** What local training took of the device since the start, for who wants to see that it is polite. */
export interface TrainingDiagnosis {
  /** Undefined before the first training. */
  readonly engine?: TrainingEngine;
  /** Runs of training and evaluation graphs. */
  readonly runs: number;
  /** Batches in them. */
  readonly steps: number;
  /** Time of the last 512 runs, in milliseconds; null before the first. */
  readonly medianMs: number | null;
  readonly p95Ms: number | null;
  /** Runs that took more than 40 ms: a batch that cannot be cut further, or one by which its time was measured. */
  readonly longRuns: number;
  /** Share of the time that training takes of a thread. */
  readonly dutyCycle: number;
  /** What holds the next run up now. */
  readonly paused: readonly PauseReason[];
  /** How often a run waited, and how long in all, in milliseconds. */
  readonly pauses: Readonly<
    Partial<Record<PauseReason, { readonly count: number; readonly totalMs: number }>>
  >;
  /** Of the last training; undefined before the first. */
  readonly batches?: BatchDiagnosis | undefined;
}
