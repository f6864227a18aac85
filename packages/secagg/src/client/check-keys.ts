import { equalBytes, failure } from "@tributary/core";
import { neighbourGraph, type NeighbourGraph } from "../graph/neighbour-graph.ts";
import { requireDistinct } from "../identity.ts";
import { requireAscending, requireCount } from "../member-lists.ts";
import type { Advertisement, KeyList } from "../messages.ts";
import { commitmentOf, graphSeedOf, sessionIdOf } from "../transcript.ts";
import { verifyAdvertisement } from "../verify-advertisement.ts";
import type { Cohort } from "./check-cohort.ts";

/** A session whose keys this member has checked. */
export interface Session {
  readonly cohort: Cohort;
  readonly sessionId: Uint8Array;
  readonly graph: NeighbourGraph;
  /** U1, by member. */
  readonly keys: ReadonlyMap<number, Advertisement>;
  /** Neighbours in U1, ascending. */
  readonly neighbours: readonly number[];
  /** Who gets a share of this member's secrets, ascending. */
  readonly holders: readonly number[];
}

/**
 * Round 0, checks on what the server broadcasts.
 *
 * @throws TributaryError with a code of `secagg/*`.
 */
export async function checkKeys(cohort: Cohort, own: Advertisement, list: KeyList): Promise<Session> {
  const { advertisements } = list;
  const { self, shape } = cohort;
  requireAscending(
    advertisements.map(({ member }) => member),
    shape.clients,
    "key list",
  );
  // Round 0: |U1| >= t, here of the whole cohort.
  requireCount(advertisements.length, cohort.least, "key list");
  const keys = new Map(advertisements.map((advertisement) => [advertisement.member, advertisement]));
  // Round 0: own keys present exactly once, and unchanged.
  const echoed = keys.get(self);
  if (echoed === undefined || !sameKeys(echoed, own)) {
    throw failure("secagg/invalid-key", "secagg: this device's own keys are missing or were swapped", {
      detail: { member: self },
    });
  }
  // Round 0: all public keys are distinct.
  requireDistinct(
    advertisements.flatMap(({ encryptionKey, maskKey }) => [encryptionKey, maskKey]),
    (index) => {
      const { member } = advertisements[index >> 1]!;
      return failure("secagg/invalid-key", `secagg: a key of member ${member} is used twice`, {
        detail: { member },
      });
    },
  );
  for (const { member, nonce } of advertisements) {
    if (!equalBytes(commitmentOf(nonce), cohort.list.members[member]!.commitment)) {
      throw failure(
        "secagg/commitment-mismatch",
        `secagg: the nonce of member ${member} is not what it committed to`,
        { detail: { member } },
      );
    }
  }
  const graph = neighbourGraph(shape, graphSeedOf(cohort.listDigest, advertisements));
  const neighbours = graph.neighboursOf(self).filter((member) => keys.has(member));
  const holders = graph.holdersOf(self).filter((member) => keys.has(member));
  // SecAgg+ §3.2: t neighbours, or nobody could ever unmask this member.
  requireCount(holders.length, shape.shareThreshold, "neighbours with keys");
  // Round 0, malicious variant: signatures of (c_pk || s_pk). Keys of other members are never used.
  await Promise.all(neighbours.map((member) => verifyAdvertisement(cohort, keys.get(member)!)));
  return { cohort, sessionId: sessionIdOf(cohort.cohortId, list), graph, keys, neighbours, holders };
}

function sameKeys(a: Advertisement, b: Advertisement): boolean {
  return (
    equalBytes(a.nonce, b.nonce) &&
    equalBytes(a.encryptionKey, b.encryptionKey) &&
    equalBytes(a.maskKey, b.maskKey)
  );
}
