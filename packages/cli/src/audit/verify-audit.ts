import { failure, TributaryError, type Clock } from "@tributary/core";
import { auditHeadOf, createAuditCheck, type AuditHead, type KnownAuditHead } from "@tributary/protocol";
import { signedTimestamp, type FetchMetadata } from "../log/signed-timestamp.ts";

/** A head, and the timestamp that it stands in. */
export type SignedHead = AuditHead & { readonly timestampVersion: number };

/** What an audit came to. */
export type AuditResult =
  | { readonly whole: true; readonly head: AuditHead; readonly signed: SignedHead }
  | { readonly whole: false; readonly finding: AuditFinding };

/** The first record that does not fit. */
export interface AuditFinding {
  readonly code: string;
  readonly index: number;
  readonly message: string;
  /** Null where the log ends before it. */
  readonly record: unknown;
}

export interface VerifyAuditOptions {
  /** All of them in their order, as they were served or read. */
  readonly records: AsyncIterable<unknown>;
  readonly signed: SignedHead;
  /** The head of an earlier audit. */
  readonly seen?: AuditHead | undefined;
}

/**
 * Follows a log from its first record past the heads that are known of it.
 *
 * @throws what reading the records throws; what does not fit is the result
 */
export async function verifyAudit({ records, signed, seen }: VerifyAuditOptions): Promise<AuditResult> {
  const known: KnownAuditHead[] = [{ head: signed, from: `timestamp ${signed.timestampVersion}` }];
  if (seen !== undefined) known.push({ head: seen, from: "the audit before" });
  const found = (error: unknown, record: unknown): AuditResult => {
    if (!TributaryError.is(error)) throw error;
    const index = Number(error.detail["index"]);
    return { whole: false, finding: { code: error.code, index, message: error.message, record } };
  };
  let last: unknown = null;
  try {
    const check = createAuditCheck(known);
    for await (const record of iterate(records)) {
      last = record;
      check.add(record);
    }
    last = null;
    return { whole: true, head: check.end(), signed };
  } catch (error) {
    if (error instanceof Unreadable) throw error.cause;
    return found(error, last);
  }
}

/** What went wrong with reading, and not with what was read. */
class Unreadable extends Error {}

async function* iterate(records: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  try {
    yield* records;
  } catch (cause) {
    throw new Unreadable("records cannot be read", { cause });
  }
}

/**
 * The head in the newest timestamp.
 *
 * @throws `audit/head-unsigned`, `tuf/*`
 */
export async function signedAuditHead(options: {
  readonly root: Uint8Array;
  readonly clock: Pick<Clock, "now">;
  readonly fetch: FetchMetadata;
}): Promise<SignedHead> {
  const { version, custom } = await signedTimestamp(options);
  const head = auditHeadOf(custom);
  if (head !== undefined) return { ...head, timestampVersion: version };
  throw failure("audit/head-unsigned", `audit: timestamp ${version} has no head of an audit log`);
}
