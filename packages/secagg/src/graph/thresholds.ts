import { chooseGraph, type GraphAssumptions } from "./choose-graph.ts";

/** What decides a cohort's graph: part of the signed plan. */
export interface CohortAssumptions extends GraphAssumptions {
  /**
   * Smaller cohorts use the complete graph. It can be raised.
   *
   * @defaultValue 256
   */
  readonly regularFrom?: number;
}

/** Cohorts below this size use the complete graph: the bounds of the k-regular one say little about few members. */
export const REGULAR_GRAPH_FROM = 256;

/** A cohort's graph and its two thresholds. They are never one number. */
export interface CohortShape {
  readonly clients: number;
  readonly graph: "complete" | "k-regular";
  /** Neighbours of each member. */
  readonly degree: number;
  /** Shares that reconstruct one member's secret. */
  readonly shareThreshold: number;
  /**
   * Certified signatures on one survivor set, out of the whole cohort, before any share is revealed: two different
   * sets would need honest members that sign twice.
   */
  readonly signatureThreshold: number;
}

/** Bonawitz et al. 2017, §6.2: server and clients may collude. */
export function majorityThreshold(clients: number): number {
  return Math.floor((2 * clients) / 3) + 1;
}

/** What a cohort of this size uses; every member computes it for itself. */
export function cohortShape(clients: number, assumptions: CohortAssumptions): CohortShape {
  const { regularFrom = REGULAR_GRAPH_FROM } = assumptions;
  if (!(regularFrom >= REGULAR_GRAPH_FROM)) {
    throw new RangeError(
      `cohortShape: regularFrom must be at least ${REGULAR_GRAPH_FROM}, got ${regularFrom}`,
    );
  }
  const signatureThreshold = majorityThreshold(clients);
  if (clients < regularFrom) {
    return {
      clients,
      graph: "complete",
      degree: clients - 1,
      shareThreshold: signatureThreshold,
      signatureThreshold,
    };
  }
  const { degree, threshold } = chooseGraph({ clients, ...assumptions });
  return { clients, graph: "k-regular", degree, shareThreshold: threshold, signatureThreshold };
}
