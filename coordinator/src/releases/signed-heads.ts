import { failure, TributaryError } from "@tributary/core";
import {
  auditHash,
  auditHeadOf,
  createAuditCheck,
  EMPTY_AUDIT_LOG,
  followAudit,
  logHeadOf,
  type AuditHead,
  type LogHead,
} from "@tributary/protocol";
import { parseMetadata } from "@tributary/tuf";
import { headOf } from "../enrolment/certificate-tree.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { SignedMetadata } from "../ports/release-records.ts";
import type { LogHeads } from "./signing-state.ts";

type Logs = Pick<MetadataStore, "certificateLog" | "audit">;

/** Records that are read at a time. */
const RECORDS = 500;

/** The heads in a timestamp; undefined where it has none. */
export async function signedHeads(timestamp: SignedMetadata | undefined): Promise<Partial<LogHeads>> {
  if (timestamp === undefined) return {};
  const { custom } = (await parseMetadata("timestamp", timestamp.bytes)).signed;
  const [certificates, audit] = [logHeadOf(custom), auditHeadOf(custom)];
  return { ...(certificates && { certificates }), ...(audit && { audit }) };
}

/** As they are stored. */
export async function storedHeads({ certificateLog, audit }: Logs): Promise<LogHeads> {
  return { certificates: await headOf(certificateLog), audit: await audit.head() };
}

export function areSigned(signed: Partial<LogHeads>, now: LogHeads): boolean {
  return signed.certificates?.treeSize === now.certificates.treeSize && signed.audit?.size === now.audit.size;
}

/**
 * Before anything is signed, as each timestamp has the logs' heads: that they continue those that were signed. Devices never believe a
 * certificate log again that loses what was signed for, nor auditors an audit log. Only damage, or a hand in the database, leads here.
 *
 * @throws `store/corrupt`
 */
export async function requireLogsContinued(
  logs: Logs,
  timestamp: SignedMetadata | undefined,
  now: LogHeads,
): Promise<void> {
  const { certificates, audit } = await signedHeads(timestamp);
  if (certificates !== undefined) await requireTreeContinued(logs, certificates, now.certificates);
  await requireRecordsContinued(logs, audit ?? EMPTY_AUDIT_LOG, now.audit);
}

async function requireTreeContinued({ certificateLog }: Logs, signed: LogHead, now: LogHead): Promise<void> {
  const before = signed.treeSize <= now.treeSize ? await headOf(certificateLog, signed.treeSize) : undefined;
  if (before?.rootHash === signed.rootHash) return;
  throw failure(
    "store/corrupt",
    `releases: the certificate log of ${now.treeSize} entries does not continue the head of ${signed.treeSize} that was signed; restore the database`,
    { detail: { signed: signed.treeSize, stored: now.treeSize } },
  );
}

/** Each record since the head that was signed follows the one before it: no head is signed that an audit would not come to. */
async function requireRecordsContinued({ audit }: Logs, signed: AuditHead, now: AuditHead): Promise<void> {
  if (now.size < signed.size) throw broken(signed, now, "its end was cut off");
  const last = signed.size === 0 ? undefined : await audit.get(signed.size - 1);
  if (signed.size > 0 && (last?.hash !== signed.hash || auditHash(last) !== last.hash))
    throw broken(signed, now, `record ${signed.size - 1} is another`);
  let head = signed;
  while (head.size < now.size) {
    const records = (await audit.read(head.size, RECORDS)).slice(0, now.size - head.size);
    if (records.length === 0) throw broken(signed, now, `record ${head.size} is missing`);
    try {
      head = records.reduce(followAudit, head);
    } catch (error) {
      throw broken(signed, now, messageOf(error), error);
    }
  }
  if (head.hash !== now.hash) throw broken(signed, now, `record ${now.size - 1} is another`);
}

/**
 * The whole log from its first record on, and not only what came since it was signed.
 *
 * @throws `store/corrupt`
 */
export async function requireAuditWhole(
  { audit }: Pick<Logs, "audit">,
  timestamp: SignedMetadata | undefined,
): Promise<void> {
  const { audit: signed = EMPTY_AUDIT_LOG } = await signedHeads(timestamp);
  const check = createAuditCheck([{ head: signed, from: "the signed timestamp" }]);
  try {
    for (;;) {
      const records = await audit.read(check.head.size, RECORDS);
      for (const record of records) check.add(record);
      if (records.length === 0) break;
    }
    check.end();
  } catch (error) {
    throw broken(signed, await audit.head(), messageOf(error), error);
  }
}

function broken(signed: AuditHead, now: AuditHead, why: string, cause?: unknown): Error {
  return failure(
    "store/corrupt",
    `releases: the audit log of ${now.size} records does not continue the head of ${signed.size} that was signed: ${why}; "tributary audit verify" shows more, and a backup has what is missing`,
    { detail: { signed: signed.size, stored: now.size }, cause },
  );
}

function messageOf(error: unknown): string {
  return TributaryError.is(error) ? error.message : String(error);
}
