import { failure } from "@tributary/core";
import { fromBitmap } from "../bitmap.ts";
import { requireAscending, requireCount } from "../member-lists.ts";
import type { SignatureList, Survivors } from "../messages.ts";
import type { Session } from "./check-keys.ts";

/** U3 and U2 \ U3 as one server message says them. */
export interface CheckedSurvivors {
  readonly survivors: ReadonlySet<number>;
  readonly dropouts: ReadonlySet<number>;
}

/**
 * Round 3, checks before the one signature.
 *
 * @param sharers - U2
 * @throws TributaryError `secagg/inconsistent-survivors` or `secagg/below-threshold`.
 */
export function checkSurvivors(
  { cohort, holders }: Session,
  sharers: ReadonlySet<number>,
  message: Survivors,
): CheckedSurvivors {
  const { self, shape, least } = cohort;
  const survivors = fromBitmap(message.survivors, shape.clients);
  const dropouts = fromBitmap(message.dropouts, shape.clients);
  for (const member of survivors) {
    // Both lists would give both secrets of one member.
    if (dropouts.has(member)) throw inconsistent(member, "is said to have survived and to have dropped out");
    // Round 3: U3 is a subset of U2.
    if (!sharers.has(member)) throw inconsistent(member, "survived without having shared");
  }
  for (const member of dropouts) {
    if (!sharers.has(member)) throw inconsistent(member, "dropped out without having shared");
  }
  for (const member of sharers) {
    if (!survivors.has(member) && !dropouts.has(member)) throw inconsistent(member, "is in neither list");
  }
  // This member has sent its vector: a server that denies it asks for its key.
  if (!survivors.has(self)) throw inconsistent(self, "is this device and did not drop out");
  // Round 3: |U3| >= t, and the device's floor.
  requireCount(survivors.size, least, "survivors");
  requireCount(
    holders.filter((member) => survivors.has(member)).length,
    shape.shareThreshold,
    "surviving neighbours",
  );
  return { survivors, dropouts };
}

/**
 * Round 4: enough certified members signed the same U3 before a share is revealed. Two thirds of the whole cohort
 * cannot have signed two different sets unless honest members sign twice, and they do not.
 *
 * @param message - what this member signed
 * @throws TributaryError with a code of `secagg/*`.
 */
export async function checkSignatures(
  { cohort }: Session,
  survivors: ReadonlySet<number>,
  message: Uint8Array,
  { signatures }: SignatureList,
): Promise<void> {
  const { shape, identities } = cohort;
  requireAscending(
    signatures.map(({ member }) => member),
    shape.clients,
    "signature list",
  );
  requireCount(signatures.length, shape.signatureThreshold, "signatures on the survivors");
  const checked = signatures.slice(0, shape.signatureThreshold);
  await Promise.all(
    checked.map(async ({ member, signature }) => {
      // Round 4: U4 is a subset of U3.
      if (!survivors.has(member)) throw inconsistent(member, "signed without having survived");
      if (await identities[member]!.verify(message, signature)) return;
      throw failure(
        "secagg/invalid-signature",
        `secagg: member ${member} did not sign the survivors that this device signed`,
        { detail: { member } },
      );
    }),
  );
}

function inconsistent(member: number, what: string): Error {
  return failure("secagg/inconsistent-survivors", `secagg: member ${member} ${what}`, { detail: { member } });
}
