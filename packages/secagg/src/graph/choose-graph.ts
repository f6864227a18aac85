import { failure } from "@tributary/core";
import { logChoose, logGamma } from "./log-gamma.ts";

/** What a cohort's graph must withstand. */
export interface GraphAssumptions {
  /** Largest share of members that are corrupt, gamma of the paper. */
  readonly corruption: number;
  /** Largest share of members that drop out, delta of the paper. */
  readonly dropout: number;
  /** Whether the server follows the protocol (`curious`), or may lie after an honest key and graph phase. */
  readonly adversary: "curious" | "semi-malicious";
}

export interface GraphRow {
  /** Neighbours of each member, k; even. */
  readonly degree: number;
  /** Shares that reconstruct a secret, t. */
  readonly threshold: number;
}

/** Statistical security and correctness, in bits (SecAgg+ as deployed: sigma 40, eta 20). */
const SECURITY_BITS = 40;
const CORRECTNESS_BITS = 20;

/** Products such as 0.29 * 100 land just beside the integer they mean. */
const SLACK = 1e-14;

/**
 * The smallest regular graph of SecAgg+ (Bell et al. 2020, §3 and appendix) for a cohort: but for a chance of
 * 2^-40, no set of corrupt members learns a threshold of one honest member's shares and the honest survivors stay
 * connected; but for 2^-20, every secret can be reconstructed.
 *
 * @throws TributaryError `secagg/infeasible-graph` when no degree does it.
 */
export function chooseGraph(options: { readonly clients: number } & GraphAssumptions): GraphRow {
  const { clients, corruption, dropout, adversary } = options;
  const weight = adversary === "curious" ? 1 : 2;
  const inRange = (share: number): boolean => share >= 0 && share < 1;
  if (!Number.isSafeInteger(clients) || clients < 1 || !inRange(corruption) || !inRange(dropout)) {
    throw infeasible(options, "at least one client and shares from 0 to below 1 are needed");
  }
  if (corruption + weight * dropout > 0.9 + SLACK) {
    throw infeasible(options, "corruption and dropout leave too few honest survivors");
  }
  const corrupt = Math.floor(corruption * clients * (1 + SLACK) + SLACK);
  const dropped = Math.floor(dropout * clients * (1 + SLACK) + SLACK);
  const alive = Math.ceil((1 - dropout) * clients * (1 - SLACK) - SLACK);
  for (let degree = 2; degree <= clients - 2; degree += 2) {
    if (!staysConnected(clients, corrupt + dropped, degree)) continue;
    let corruptNeighbours = upperTail(clients, corrupt, degree, -(SECURITY_BITS + 1) * Math.LN2);
    // A lying server gets shares from both sides of a split: 2t - k must exceed the corrupt neighbours.
    if (adversary === "semi-malicious")
      corruptNeighbours = Math.ceil((corruptNeighbours + degree - 1.25) / 2);
    const aliveNeighbours = lowerTail(clients, alive, degree, -CORRECTNESS_BITS * Math.LN2);
    if (aliveNeighbours > corruptNeighbours) {
      return { degree, threshold: Math.max(corruptNeighbours + 1, 2) };
    }
  }
  throw infeasible(options, "no degree meets both security and correctness");
}

/** SecAgg+, the ring's honest survivors stay connected: k exceeds all who are bad, or k bad ones in a row are too unlikely. */
function staysConnected(n: number, bad: number, k: number): boolean {
  if (k > bad) return true;
  const logProbability =
    Math.log(n) +
    Math.log(n - k - 1) -
    Math.LN2 +
    logGamma(bad + 1) +
    logGamma(n - k + 1) -
    logGamma(n + 1) -
    logGamma(bad - k + 1);
  return logProbability < -(SECURITY_BITS + 1) * Math.LN2;
}

/** The smallest x with Pr[X > x] <= e^bound / n, X hypergeometric: k draws out of n with `marked` marked. */
function upperTail(n: number, marked: number, k: number, bound: number): number {
  const limit = Math.exp(bound - Math.log(n));
  let tail = 0;
  for (let x = Math.min(k, marked); x > 0; x--) {
    tail += probability(n, marked, k, x);
    if (tail > limit) return x;
  }
  return 0;
}

/** The largest t with Pr[X < t] <= e^bound / n. */
function lowerTail(n: number, marked: number, k: number, bound: number): number {
  const limit = Math.exp(bound - Math.log(n));
  const least = Math.max(0, k - (n - marked));
  let tail = 0;
  for (let t = least; t < k; t++) {
    tail += probability(n, marked, k, t);
    if (tail > limit) return t;
  }
  return k;
}

function probability(n: number, marked: number, k: number, x: number): number {
  if (x < k - (n - marked) || x > marked) return 0;
  return Math.exp(logChoose(marked, x) + logChoose(n - marked, k - x) - logChoose(n, k));
}

function infeasible(options: { readonly clients: number } & GraphAssumptions, why: string): Error {
  const { clients, corruption, dropout, adversary } = options;
  return failure(
    "secagg/infeasible-graph",
    `secagg: no graph for ${clients} clients, corruption ${corruption}, dropout ${dropout}, ${adversary} server: ${why}`,
    { detail: { clients, corruption, dropout } },
  );
}
