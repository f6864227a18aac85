import type { TrustOptions } from "../robust/fl-trust.ts";
import type { RobustRule } from "../robust/robust-rule.ts";
import type { ServerOptimizer } from "../server-optimizer.ts";
import type { StrategyState } from "../strategy-state.ts";
import type { StrategyParameter } from "./parameters.ts";

/** How the updates of a round become one. */
export type Aggregation =
  /** The mean by examples: a sum, which is all the server has to see. */
  | { readonly kind: "mean" }
  /** FedNova: each update is divided by `norm` of its examples first, see `fedNova`. */
  | { readonly kind: "normalised"; readonly norm: (numExamples: number) => number }
  /** All updates are kept until the end of the round, and read in passes. */
  | { readonly kind: "robust"; readonly rule: RobustRule }
  /** As robust, but compared with an update that the server trains itself on the task's trusted examples. */
  | {
      readonly kind: "trusted";
      readonly ruleOf: (root: Float32Array, options: TrustOptions) => RobustRule;
    };

/** From the updates of a round to the server's step. */
export interface Strategy {
  readonly aggregation: Aggregation;
  readonly optimizer: ServerOptimizer<StrategyState>;
}

/** What a strategy may want to know of the task it is chosen for. */
export interface StrategyTask {
  /** The server sees sums over cohorts, never an update of one device. */
  readonly secureAggregation: boolean;
  readonly cohort: {
    /** Fewest updates of a round. */
    readonly minimumCount: number;
    /** Most updates of a cohort in buffered mode. */
    readonly goalCount: number;
  };
  /** In buffered mode, the cohorts that a full buffer holds at least; null: each round makes a version. */
  readonly groups: number | null;
  /** The task names examples that the server may train on itself. */
  readonly trustedDataset: boolean;
  readonly local: {
    readonly epochs: number;
    readonly batchSize: number;
    readonly optimizer: string;
    readonly momentum: number;
    readonly proximalTerm: number | null;
  };
}

/** What is wrong with a task's document, and where. */
export interface Fault {
  /** JSON pointer into the task. */
  readonly path: string;
  /** Goes on after the path: "must be at least 5". */
  readonly problem: string;
}

export type Parameters = Readonly<Record<string, number>>;

/** A strategy as it is registered: everything a task needs to choose and set it. */
export interface StrategyDefinition {
  /** As tasks spell it, `fedAdam`. */
  readonly name: string;
  /** One sentence. */
  readonly description: string;
  readonly parameters: Readonly<Record<string, StrategyParameter>>;
  /** Why sums are not enough for it, so that secure aggregation rules it out. Left out: they are. */
  readonly needsSingleUpdates?: string;
  /** It can also compare the means of cohorts, of which a buffer holds several: then one group stands for one update. */
  readonly comparesGroups?: true;
  /** What it needs trusted examples for. Left out: it uses none, and a task that names some is refused. */
  readonly needsTrustedDataset?: string;
  /** What else of the task does not fit these parameters; they are complete and in their ranges. */
  check?(parameters: Parameters, task: StrategyTask): Fault | undefined;
  create(parameters: Parameters, task: StrategyTask): Strategy;
}
