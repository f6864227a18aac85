import { type ApiClient } from "@tributary/api-client";
import { encodeHex, encodeUtf8, failure, type Clock, type Digest } from "@tributary/core";
import {
  completedBy,
  foldNodes,
  leafHash,
  logHeadOf,
  nodeHash,
  readPublicKey,
  requireLogContinues,
  verifyIssued,
  type LogHead,
  type TreeHash,
} from "@tributary/protocol";
import { metadataOf, signedTimestamp } from "./signed-timestamp.ts";

export interface VerifyLogOptions {
  readonly url: string;
  readonly api: Pick<ApiClient, "logEntries">;
  /** The TUF root that the app pins. */
  readonly root: Uint8Array;
  /** Keys whose certificates may stand in the log, 32 bytes each. */
  readonly issuers: readonly Uint8Array[];
  /** What the issuer says it issued; then every certificate of the log has to be among it. */
  readonly issued?: ReadonlySet<string> | undefined;
  /** The head of an earlier audit, which the log has to continue. */
  readonly seen?: LogHead | undefined;
  readonly clock: Pick<Clock, "now">;
}

export interface LogAudit {
  /** The signed head, which the entries lead to. */
  readonly head: LogHead;
  readonly populations: Readonly<Record<string, number>>;
  readonly devices: number;
}

/**
 * Reads every certificate of a coordinator's log, hashes the tree anew and compares it with the head in the signed metadata.
 *
 * @throws `identity/log-unsigned`, `identity/log-forked`, `identity/log-shrunk`, `identity/invalid-certificate`,
 *   `identity/not-issued`, `tuf/*`
 */
export async function verifyLog(options: VerifyLogOptions): Promise<LogAudit> {
  const head = await signedHead(options);
  const { seen } = options;
  if (seen !== undefined && seen.treeSize > head.treeSize) requireLogContinues(seen, head, []);
  const tree = new GrowingTree();
  const populations: Record<string, number> = {};
  const devices = new Set<string>();
  if (seen?.treeSize === 0) requireLogContinues(seen, tree.head(), []);
  while (tree.size < head.treeSize) {
    const { certificates } = await options.api.logEntries({ start: tree.size });
    if (certificates.length === 0) throw short(tree.size, head);
    for (const certificate of certificates.slice(0, head.treeSize - tree.size)) {
      const { population, deviceId } = await verifyEntry(certificate, tree.size, options);
      populations[population] = (populations[population] ?? 0) + 1;
      devices.add(deviceId);
      tree.add(encodeUtf8(certificate));
      if (tree.size === seen?.treeSize) requireLogContinues(seen, tree.head(), []);
    }
  }
  requireLogContinues(head, tree.head(), []);
  return { head, populations, devices: devices.size };
}

async function verifyEntry(certificate: string, index: number, { issuers, issued }: VerifyLogOptions) {
  const fields = await verifyIssued(encodeUtf8(certificate), issuers);
  if (issued === undefined || issued.has(certificate)) return fields;
  throw failure(
    "identity/not-issued",
    `log: certificate ${index}, of device ${fields.deviceId}, is signed by the issuer's key, but the issuer has no record of it: who else has the key?`,
    { detail: { index, deviceId: fields.deviceId } },
  );
}

/** The head in the newest timestamp, as a device verifies it. */
async function signedHead({ url, root, clock }: VerifyLogOptions): Promise<LogHead> {
  const { custom } = await signedTimestamp({ root, clock, fetch: metadataOf(url) });
  const head = logHeadOf(custom);
  if (head !== undefined) return head;
  throw failure(
    "identity/log-unsigned",
    `log: the signed timestamp of ${url} has no head of a certificate log`,
  );
}

/** The tree while it is read: of its full subtrees only those on the right edge are needed. */
class GrowingTree {
  size = 0;
  /** Hashes of the full subtrees that the tree consists of, by level. */
  readonly #edge = new Map<number, TreeHash>();

  add(entry: Uint8Array): void {
    let hash = leafHash(entry);
    for (const { level } of completedBy(this.size)) {
      if (level > 0) {
        hash = nodeHash(this.#edge.get(level - 1)!, hash);
        this.#edge.delete(level - 1);
      }
      if (!this.#edge.has(level)) this.#edge.set(level, hash);
    }
    this.size += 1;
  }

  head(): LogHead {
    const largestFirst = [...this.#edge].toSorted(([a], [b]) => b - a).map(([, hash]) => hash);
    return { treeSize: this.size, rootHash: encodeHex(foldNodes(largestFirst)) as Digest };
  }
}

function short(size: number, { treeSize }: LogHead): Error {
  return failure("identity/log-shrunk", `log: ${size} entries are served, the signed head says ${treeSize}`, {
    detail: { served: size, signed: treeSize },
  });
}

/** A key as operators write it. */
export function issuerKey(text: string): Uint8Array {
  const key = readPublicKey(text);
  if (key !== undefined) return key;
  throw failure(
    "cli/usage",
    `--issuer: expected 64 hexadecimal digits or 43 characters of base64url, got "${text}"`,
  );
}
