import { decode, failure } from "@tributary/core";
import { fromBitmap } from "../bitmap.ts";
import { requireAscending, requireCount, requireExactly } from "../member-lists.ts";
import { SharePair, type ShareInbox } from "../messages.ts";
import { isElement } from "../primitives/field.ts";
import type { ShareCipher } from "../primitives/share-cipher.ts";
import type { Session } from "./check-keys.ts";

/** What this member holds after round 1. */
export interface HeldShares {
  /** U2. */
  readonly sharers: ReadonlySet<number>;
  /** By the member whose secrets they are shares of. */
  readonly pairs: ReadonlyMap<number, SharePair>;
}

/**
 * Round 2, checks on what the server routed: U2, and one share from each neighbour in it.
 *
 * @throws TributaryError with a code of `secagg/*`.
 */
export async function openInbox(
  session: Session,
  ciphers: ReadonlyMap<number, ShareCipher>,
  inbox: ShareInbox,
): Promise<HeldShares> {
  const { cohort, keys, neighbours, holders } = session;
  const { self, shape, least } = cohort;
  const sharers = fromBitmap(inbox.sharers, shape.clients);
  for (const member of sharers) {
    // Round 2: U2 is a subset of U1.
    if (!keys.has(member)) throw unknown(member, "shared without keys");
  }
  if (!sharers.has(self)) throw unknown(self, "shared, but is missing");
  // Round 2: |U2| >= t.
  requireCount(sharers.size, least, "members that shared");
  const sharing = neighbours.filter((member) => sharers.has(member));
  const senders = inbox.shares.map(({ from }) => from);
  requireAscending(senders, shape.clients, "share inbox");
  requireExactly(senders, sharing, "share inbox", "secagg/unknown-member");
  requireCount(
    holders.filter((member) => sharers.has(member)).length,
    shape.shareThreshold,
    "neighbours that shared",
  );
  const pairs = new Map(
    await Promise.all(
      inbox.shares.map(async ({ from, ciphertext }) => {
        const plaintext = await ciphers.get(from)!.open(ciphertext);
        const pair = decode(SharePair, plaintext);
        plaintext.fill(0);
        checkPair(pair, from, self);
        return [from, pair] as const;
      }),
    ),
  );
  return { sharers, pairs };
}

function checkPair(pair: SharePair, from: number, to: number): void {
  // Round 4 of the paper checks u and v inside the ciphertext; here before anything depends on them.
  const wrongIds = pair.from !== from || pair.to !== to;
  const notElements = !isElement(pair.keyShare) || !isElement(pair.seedShare);
  if (wrongIds || notElements) {
    throw failure(
      "secagg/invalid-share",
      `secagg: the share of member ${from} ${wrongIds ? `says from ${pair.from} to ${pair.to}` : "is not a field element"}`,
      { detail: { member: from } },
    );
  }
}

function unknown(member: number, what: string): Error {
  return failure("secagg/unknown-member", `secagg: member ${member} ${what}`, { detail: { member } });
}
