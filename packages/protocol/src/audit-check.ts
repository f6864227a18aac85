import { failure } from "@tributary/core";
import Type from "typebox";
import { Check } from "typebox/value";
import { EMPTY_AUDIT_LOG, followAudit, type AuditHead, type AuditRecord } from "./audit-log.ts";
import { DigestSchema } from "./schema.ts";

/** A head that a log is known to have had, and from where: "the signed timestamp". */
export interface KnownAuditHead {
  readonly head: AuditHead;
  readonly from: string;
}

/** Reads a log from its first record on. */
export interface AuditCheck {
  readonly head: AuditHead;
  /**
   * @param record as it was read: of another version of the coordinator it may say more, which is hashed too
   * @throws `audit/record-edited`, `audit/chain-broken`; `audit/forked` at a known head that is another
   */
  add(record: unknown): void;
  /** After the last record. @throws `audit/cut-off` where the log ends before a known head */
  end(): AuditHead;
}

/** What the chain needs of a record. */
const Linked = Type.Object({
  index: Type.Integer({ minimum: 0 }),
  previous: DigestSchema,
  hash: DigestSchema,
});

function noRecord(index: number): Error {
  return failure("audit/record-edited", `audit: what stands in the place of record ${index} is no record`, {
    detail: { index },
  });
}

/**
 * A chain of hashes shows that nothing was changed without changing all that follows; heads that are known from elsewhere show that this
 * was not done, and that the end is there.
 */
export function createAuditCheck(known: readonly KnownAuditHead[]): AuditCheck {
  let head = EMPTY_AUDIT_LOG;
  const requireKnown = (): void => {
    const other = known.find((each) => each.head.size === head.size && each.head.hash !== head.hash);
    if (other === undefined) return;
    throw failure(
      "audit/forked",
      `audit: record ${head.size - 1} has ${head.hash}, and by ${other.from} it had ${other.head.hash}: it, or one before it, was replaced, and all hashes that follow were made anew`,
      { detail: { index: head.size - 1 } },
    );
  };
  requireKnown();
  return {
    get head() {
      return head;
    },
    add(record) {
      if (!Check(Linked, record)) throw noRecord(head.size);
      head = followAudit(head, record as unknown as AuditRecord);
      requireKnown();
    },
    end() {
      const longer = known.find((each) => each.head.size > head.size);
      if (longer === undefined) return head;
      throw failure(
        "audit/cut-off",
        `audit: the log ends after ${head.size} records, and by ${longer.from} it had ${longer.head.size}: record ${head.size} and what follows were cut off`,
        { detail: { index: head.size, known: longer.head.size } },
      );
    },
  };
}
