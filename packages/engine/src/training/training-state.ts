import type { Tensor } from "@tributary/tensor";

/** Where a training stands between two runs: with the same examples, seed and base weights it goes on from there. */
export interface TrainingState {
  /** Of the pass under way, from 0; as many as there are when all is done. */
  readonly epoch: number;
  /** Examples of that pass that were seen. */
  readonly position: number;
  /** Batches done, of all passes. */
  readonly step: number;
  /** Of that pass so far. */
  readonly lossSum: number;
  readonly correct: number;
  /** Mean loss of the first run. */
  readonly firstLoss: number;
  /** Weights and the optimizer's state, by the graph's inputs. */
  readonly carried: Readonly<Record<string, Tensor>>;
}

/** When runs of a training graph may begin. */
export interface TrainingPace {
  /** Most batches of the next run: where a run takes several, fewer make it shorter. */
  maxSteps(): number;
  /**
   * Runs `work` when it may begin.
   *
   * @param steps batches in it; of a part of one, its share of the batch's examples, and 0 for what takes none
   * @throws `signal.reason` while it waits
   */
  run<T>(steps: number, work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
}
