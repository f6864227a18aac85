import { digestOf, failure } from "@tributary/core";
import type {
  MetaFile,
  RootMetadata,
  SnapshotMetadata,
  TargetsMetadata,
  TimestampMetadata,
  TufRole,
} from "./metadata.ts";
import { parseMetadata, type MetadataParser } from "./parse-metadata.ts";
import type { SignatureVerifier } from "./verify-key.ts";
import { byRoot, byTargets, countSignatures, requireThreshold } from "./verify-signatures.ts";

/** What a step did with the bytes it was given. */
export type Outcome = "accepted" | "unchanged";

export interface TrustedSetOptions {
  /** The fixed update start time (spec 5.1), milliseconds since the epoch. */
  readonly nowMs: number;
  readonly verify: SignatureVerifier;
  /** @defaultValue parseMetadata */
  readonly parse?: MetadataParser;
}

/**
 * The verified state of one update: bytes in, verified metadata or a coded error out. No IO, no clock.
 *
 * Steps come in the order of spec 5.3 to 5.6. A step that throws leaves the set as it was.
 * Files from local storage enter through the `restore` methods, which leave out the checks that only concern new files;
 * they serve as the baseline of the rollback checks, and as the final file where it still is the listed one.
 */
export class TrustedSet {
  readonly #nowMs: number;
  readonly #verify: SignatureVerifier;
  readonly #parse: MetadataParser;
  #root: RootMetadata;
  #timestamp: TimestampMetadata | undefined;
  #snapshot: SnapshotMetadata | undefined;
  #targets: TargetsMetadata | undefined;

  private constructor(root: RootMetadata, options: TrustedSetOptions) {
    this.#root = root;
    this.#nowMs = options.nowMs;
    this.#verify = options.verify;
    this.#parse = options.parse ?? parseMetadata;
  }

  /**
   * Spec 5.2: the trusted root, whose expiry does not matter yet. It has to be signed by its own keys, which tells a damaged file
   * from a good one; that it is *trusted* is the caller's word.
   */
  static async create(rootBytes: Uint8Array, options: TrustedSetOptions): Promise<TrustedSet> {
    const { parse = parseMetadata } = options;
    const file = await parse("root", rootBytes);
    await requireThreshold(byRoot(file.signed, "root"), file, options.verify, "5.2");
    return new TrustedSet(file.signed, options);
  }

  get root(): RootMetadata {
    return this.#root;
  }
  get timestamp(): TimestampMetadata | undefined {
    return this.#timestamp;
  }
  get snapshot(): SnapshotMetadata | undefined {
    return this.#snapshot;
  }
  get targets(): TargetsMetadata | undefined {
    return this.#targets;
  }

  /** Whether this root's own keys signed another root file: then it continues this one, by however many versions. */
  async vouchesForRoot(bytes: Uint8Array): Promise<boolean> {
    const file = await this.#parse("root", bytes);
    const { valid, threshold } = await countSignatures(byRoot(this.#root, "root"), file, this.#verify);
    return valid >= threshold;
  }

  /** Spec 5.3.4 to 5.3.7: the next root version. */
  async updateRoot(bytes: Uint8Array): Promise<Outcome> {
    const file = await this.#parse("root", bytes);
    const current = this.#root;
    // 5.3.4: signed by a threshold of the old keys (1) and of the new ones (2).
    await requireThreshold(byRoot(current, "root"), file, this.#verify, "5.3.4");
    await requireThreshold(byRoot(file.signed, "root"), file, this.#verify, "5.3.4");
    // 5.3.5: exactly N+1; lower is a rollback, equal changes nothing.
    if (file.signed.version === current.version) return "unchanged";
    if (file.signed.version < current.version) {
      throw rollback("root", "5.3.5", current.version, file.signed.version);
    }
    if (file.signed.version !== current.version + 1) {
      throw wrongVersion("root", "5.3.5", current.version + 1, file.signed.version);
    }
    this.#root = file.signed; // 5.3.7
    return "accepted";
  }

  /** Spec 5.3.10: the final root must not have expired. */
  finishRoot(): void {
    this.#requireFresh("root", this.#root.expiresMs, "5.3.10");
  }

  /** The timestamp in local storage: the baseline of 5.4.3, valid or expired. */
  async restoreTimestamp(bytes: Uint8Array): Promise<void> {
    const file = await this.#parse("timestamp", bytes);
    await requireThreshold(byRoot(this.#root, "timestamp"), file, this.#verify, "5.4.2");
    this.#timestamp = file.signed;
  }

  /** Spec 5.4.2 to 5.4.4: a fetched timestamp. */
  async updateTimestamp(bytes: Uint8Array): Promise<Outcome> {
    const file = await this.#parse("timestamp", bytes);
    // 5.4.2: arbitrary software attack.
    await requireThreshold(byRoot(this.#root, "timestamp"), file, this.#verify, "5.4.2");
    const trusted = this.#timestamp;
    if (trusted !== undefined) {
      // 5.4.3.1: rollback of the timestamp itself. Equal is normal: the trusted file stays, and has to be fresh itself.
      if (file.signed.version < trusted.version) {
        throw rollback("timestamp", "5.4.3.1", trusted.version, file.signed.version);
      }
      if (file.signed.version === trusted.version) {
        this.#requireFresh("timestamp", trusted.expiresMs, "5.4.4");
        return "unchanged";
      }
      // 5.4.3.2: rollback of the snapshot it names.
      if (file.signed.snapshot.version < trusted.snapshot.version) {
        throw rollback("snapshot", "5.4.3.2", trusted.snapshot.version, file.signed.snapshot.version);
      }
    }
    this.#requireFresh("timestamp", file.signed.expiresMs, "5.4.4");
    this.#timestamp = file.signed;
    return "accepted";
  }

  /** The snapshot in local storage: the baseline of 5.5.5. It may be older than what the timestamp lists. */
  async restoreSnapshot(bytes: Uint8Array): Promise<void> {
    const file = await this.#parse("snapshot", bytes);
    await requireThreshold(byRoot(this.#root, "snapshot"), file, this.#verify, "5.5.3");
    this.#snapshot = file.signed;
  }

  /** Whether the snapshot at hand is the one that the timestamp lists, and fresh: then none has to be fetched. */
  snapshotIsCurrent(): boolean {
    const snapshot = this.#snapshot;
    return (
      snapshot !== undefined &&
      snapshot.version === this.#timestamp?.snapshot.version &&
      snapshot.expiresMs > this.#nowMs
    );
  }

  /** Spec 5.5.2 to 5.5.6: a fetched snapshot. */
  async updateSnapshot(bytes: Uint8Array): Promise<void> {
    const listed = this.requireTimestamp().snapshot;
    await requireListedBytes("snapshot", "5.5.2", bytes, listed); // 5.5.2: mix-and-match
    const file = await this.#parse("snapshot", bytes);
    await requireThreshold(byRoot(this.#root, "snapshot"), file, this.#verify, "5.5.3"); // 5.5.3
    // 5.5.4: the version that the timestamp lists.
    if (file.signed.version !== listed.version) {
      throw wrongVersion("snapshot", "5.5.4", listed.version, file.signed.version);
    }
    // 5.5.5: no targets file may go back or vanish.
    for (const [name, trusted] of this.#snapshot?.meta ?? []) {
      const next = file.signed.meta.get(name);
      if (next === undefined || next.version < trusted.version) {
        throw rollback(name, "5.5.5", trusted.version, next?.version ?? null);
      }
    }
    this.#requireFresh("snapshot", file.signed.expiresMs, "5.5.6"); // 5.5.6: freeze
    this.#snapshot = file.signed;
  }

  /** Targets in local storage as what is installed: signed by the targets keys, of any version and age. */
  async restoreInstalledTargets(bytes: Uint8Array): Promise<void> {
    const file = await this.#parse("targets", bytes);
    await requireThreshold(byRoot(this.#root, "targets"), file, this.#verify, "5.6.3");
    this.#targets = file.signed;
  }

  /** Spec 5.6.2: the bytes are those that the snapshot lists. */
  async requireListedTargets(bytes: Uint8Array): Promise<void> {
    const listed = this.listedTargets();
    await requireListedBytes("targets", "5.6.2", bytes, listed);
    if (this.#targets?.version === listed.version) return;
    throw wrongVersion("targets", "5.6.4", listed.version, this.#targets?.version ?? 0);
  }

  /** Spec 5.6.2 to 5.6.5: fetched targets; stored ones pass too where they still are the listed file, and fresh. */
  async updateTargets(bytes: Uint8Array): Promise<void> {
    const listed = this.listedTargets();
    await requireListedBytes("targets", "5.6.2", bytes, listed); // 5.6.2: mix-and-match
    const file = await this.#parse("targets", bytes);
    await requireThreshold(byRoot(this.#root, "targets"), file, this.#verify, "5.6.3"); // 5.6.3
    // 5.6.4: the version that the snapshot lists, which 5.5.5 has held against rollback.
    if (file.signed.version !== listed.version) {
      throw wrongVersion("targets", "5.6.4", listed.version, file.signed.version);
    }
    this.#requireFresh("targets", file.signed.expiresMs, "5.6.5"); // 5.6.5: freeze
    this.#targets = file.signed;
  }

  /**
   * Spec 5.6.7: the targets of a delegated role, for one search. Nothing is remembered: another search may come to the role by
   * another delegator, whose keys decide then.
   *
   * @param delegator - its name and its targets, which came from this set
   * @param nowMs - the time of the search; -Infinity where expiry does not matter
   */
  async delegatedTargets(
    name: string,
    delegator: { readonly name: string; readonly targets: TargetsMetadata },
    bytes: Uint8Array,
    nowMs: number,
  ): Promise<TargetsMetadata> {
    const listed = this.listedTargets(name);
    await requireListedBytes(name, "5.6.2", bytes, listed);
    const file = await this.#parse("targets", bytes);
    await requireThreshold(byTargets(delegator.name, delegator.targets, name), file, this.#verify, "5.6.3");
    if (file.signed.version !== listed.version) {
      throw wrongVersion(name, "5.6.4", listed.version, file.signed.version);
    }
    requireFresh(name, file.signed.expiresMs, nowMs, "5.6.5");
    return file.signed;
  }

  requireTimestamp(): TimestampMetadata {
    if (this.#timestamp === undefined)
      throw new TypeError("TrustedSet: the timestamp comes before this step");
    return this.#timestamp;
  }

  /** What the snapshot lists of the targets of a role. @throws `tuf/missing-metadata` of one that it does not list */
  listedTargets(role = "targets"): MetaFile {
    // Of an update that was cut off, and of a rotated snapshot key, targets may be there without a snapshot.
    const listed = this.#snapshot?.meta.get(`${role}.json`);
    if (listed !== undefined) return listed;
    throw failure("tuf/missing-metadata", `tuf: ${role}: the snapshot does not list it (spec 5.6.1)`, {
      detail: { fileName: `${role}.json`, step: "5.6.1" },
    });
  }

  #requireFresh(role: TufRole, expiresMs: number, step: string): void {
    requireFresh(role, expiresMs, this.#nowMs, step);
  }
}

function requireFresh(role: string, expiresMs: number, nowMs: number, step: string): void {
  if (expiresMs > nowMs) return;
  throw failure(
    "tuf/expired",
    `tuf: ${role}: expired at ${new Date(expiresMs).toISOString()}, the update started at ${new Date(nowMs).toISOString()} (spec ${step}); check this device's clock, then whether the coordinator still signs`,
    { detail: { role, step, expiresMs } },
  );
}

/** Length and SHA-256, where they are listed. */
async function requireListedBytes(
  role: string,
  step: string,
  bytes: Uint8Array,
  listed: MetaFile,
): Promise<void> {
  const lengthDiffers = listed.length !== undefined && listed.length !== bytes.length;
  if (!lengthDiffers && (listed.sha256 === undefined || listed.sha256 === (await digestOf(bytes)))) return;
  throw failure(
    "tuf/hash-mismatch",
    `tuf: ${role}: the ${bytes.length} bytes are not the listed version ${listed.version} (spec ${step}); a cache or proxy may serve an old file`,
    { detail: { role, step, version: listed.version } },
  );
}

function wrongVersion(role: string, step: string, expected: number, got: number): Error {
  return failure(
    "tuf/wrong-version",
    `tuf: ${role}: expected version ${expected}, got ${got} (spec ${step})`,
    {
      detail: { role, step, expected, got },
    },
  );
}

/** @param got - null where the file is no longer listed. */
function rollback(role: string, step: string, trusted: number, got: number | null): Error {
  return failure(
    "tuf/rollback",
    `tuf: ${role}: version ${trusted} was trusted, ${got === null ? "none is listed" : `got ${got}`} (spec ${step})`,
    { detail: { role, step, trusted, got } },
  );
}
