import type { Aggregation, RobustRule } from "@tributary/aggregation";

/** What a rule found that compares updates with the server's own: of the rows it compared. */
export interface TrustSummary {
  /** Updates, or in buffered mode cohorts. */
  readonly compared: number;
  /** Of those, how many count at all. */
  readonly trusted: number;
  /** Trust scores, 0 to 1. */
  readonly mean: number;
  readonly lowest: number;
  readonly highest: number;
}

/** A rule for one aggregation. */
export interface ReadyRule {
  readonly rule: RobustRule;
  /** Once the rule has run; undefined where it trusts all alike. */
  readonly trust: () => TrustSummary | undefined;
}

/** Trains what a strategy compares updates with: weights, in the layout's order. */
export type RootUpdate = () => Promise<Float32Array>;

/** How a strategy that compares updates does so. */
export type ComparingAggregation = Extract<Aggregation, { readonly kind: "robust" | "trusted" }>;

/** Whether a strategy compares updates, so that each has to be kept. */
export function compares(aggregation: Aggregation): aggregation is ComparingAggregation {
  return aggregation.kind === "robust" || aggregation.kind === "trusted";
}

/**
 * Makes the rule of a round, or of a full buffer.
 *
 * @param rootUpdate trains the server's own update, weights only; asked where the strategy compares with it
 * @param discounts by staleness, of each row; rows of a `robust` aggregation are discounted by the caller
 */
export async function readyRule(
  aggregation: ComparingAggregation,
  rootUpdate: RootUpdate,
  discounts?: readonly number[],
): Promise<ReadyRule> {
  if (aggregation.kind === "robust") return { rule: aggregation.rule, trust: () => undefined };
  let summary: TrustSummary | undefined;
  const observe = (trust: Float64Array): void => void (summary = summaryOf(trust));
  const rule = aggregation.ruleOf(await rootUpdate(), {
    observe,
    ...(discounts === undefined ? {} : { discounts }),
  });
  return { rule, trust: () => summary };
}

function summaryOf(trust: Float64Array): TrustSummary {
  return {
    compared: trust.length,
    trusted: trust.filter((score) => score > 0).length,
    mean: trust.reduce((sum, score) => sum + score, 0) / trust.length,
    lowest: trust.reduce((least, score) => Math.min(least, score), 1),
    highest: trust.reduce((most, score) => Math.max(most, score), 0),
  };
}
