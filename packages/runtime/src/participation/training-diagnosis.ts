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
  /** Runs that took more than 40 ms: a batch of the plan that is larger cannot be cut here. */
  readonly longRuns: number;
  /** Share of the time that training takes of a thread. */
  readonly dutyCycle: number;
  /** What holds the next run up now. */
  readonly paused: readonly PauseReason[];
  /** How often a run waited, and how long in all, in milliseconds. */
  readonly pauses: Readonly<
    Partial<Record<PauseReason, { readonly count: number; readonly totalMs: number }>>
  >;
}
