import { failure, sha256 } from "@tributary/core";
import { addSignatures } from "./signatures.ts";
import { setOwn, type JsonObject, type JsonValue } from "./json.ts";
import type { TufSigner } from "./keys.ts";
import { SPEC_VERSION, TUF_ROLES, type RootMetadata, type TargetFile, type TufRole } from "./metadata.ts";
import { formatExpires, parseMetadata } from "./parse-metadata.ts";
import { keyIdOf, keyJson, type TufPublicKey } from "./public-key.ts";
import { createVerifier } from "./verify-key.ts";
import { byRoot, requireThreshold } from "./verify-signatures.ts";

/** The keys of one role and how many of them have to sign. */
export interface RoleKeySet {
  readonly keys: readonly TufPublicKey[];
  /** @defaultValue 1 */
  readonly threshold?: number;
}

export interface RootOptions {
  readonly version: number;
  /** Milliseconds since the epoch; parts of a second are dropped. */
  readonly expiresMs: number;
  readonly keysByRole: Readonly<Record<TufRole, RoleKeySet>>;
}

export interface SignRootOptions extends RootOptions {
  /** Thresholds of the new root keys and, for a rotation, of the old ones. */
  readonly signers: readonly TufSigner[];
  /** The file of version N-1. Required from version 2 on: the result is checked against it, as a client will. */
  readonly previous?: Uint8Array;
}

/**
 * Signs root metadata with consistent snapshots. What comes out passes a client's steps 5.3.4 and 5.3.5, else it throws.
 *
 * @throws TributaryError `tuf/threshold-not-met` or `tuf/wrong-version`.
 */
export async function signRoot(options: SignRootOptions): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await signFile("root", unsignedRoot(options), options.signers);
  await checkRoot(bytes, options);
  return bytes;
}

/** Root metadata that nobody has signed yet. */
export function unsignedRoot(options: RootOptions): Uint8Array<ArrayBuffer> {
  const keys: Record<string, JsonValue> = {};
  const roles: Record<string, JsonValue> = {};
  for (const role of TUF_ROLES) roles[role] = roleJson(role, options.keysByRole[role], keys);
  return unsignedFile("root", options, { consistent_snapshot: true, keys, roles });
}

/**
 * Requires what a client requires of a new root: steps 5.3.4 and 5.3.5.
 *
 * @throws TributaryError `tuf/threshold-not-met` or `tuf/wrong-version`.
 */
export async function checkRoot(
  bytes: Uint8Array,
  { version, previous }: Pick<SignRootOptions, "version" | "previous">,
): Promise<void> {
  const verify = await createVerifier();
  const file = await parseMetadata("root", bytes);
  await requireThreshold(byRoot(file.signed, "root"), file, verify, "5.3.4");
  if (version === 1 && previous === undefined) return;
  if (previous === undefined) throw new TypeError("signRoot: previous is needed from version 2 on");
  const old: RootMetadata = (await parseMetadata("root", previous)).signed;
  if (version !== old.version + 1) {
    throw failure(
      "tuf/wrong-version",
      `tuf: root: after version ${old.version} comes ${old.version + 1}, got ${version}`,
    );
  }
  await requireThreshold(byRoot(old, "root"), file, verify, "5.3.4");
}

/** Version numbers of the three files of a release. */
export interface ReleaseVersions {
  readonly timestamp: number;
  readonly snapshot: number;
  readonly targets: number;
}

export interface SignedRelease {
  readonly timestamp: Uint8Array<ArrayBuffer>;
  readonly snapshot: Uint8Array<ArrayBuffer>;
  readonly targets: Uint8Array<ArrayBuffer>;
  readonly versions: ReleaseVersions;
}

type OnlineRole = "timestamp" | "snapshot" | "targets";

export interface SignReleaseOptions {
  /** Versions of the last release; absent for the first. */
  readonly previous?: ReleaseVersions;
  readonly targets: Iterable<TargetFile>;
  /** Milliseconds since the epoch, by role. */
  readonly expiresMs: Readonly<Record<OnlineRole, number>>;
  readonly signers: Readonly<Record<OnlineRole, readonly TufSigner[]>>;
}

/** Signs targets, snapshot and timestamp of a release, each version one above the last. */
export async function signRelease(options: SignReleaseOptions): Promise<SignedRelease> {
  const { previous, expiresMs, signers } = options;
  const version = (previous?.targets ?? 0) + 1;
  const targets = await signTargets({
    version,
    expiresMs: expiresMs.targets,
    targets: options.targets,
    signers: signers.targets,
  });
  const rest = await signSnapshotAndTimestamp({
    ...(previous === undefined ? {} : { previous }),
    targets: { version, bytes: targets },
    expiresMs,
    signers,
  });
  return {
    ...rest,
    targets,
    versions: { targets: version, ...rest.versions },
  };
}

export interface SignSnapshotAndTimestampOptions {
  readonly previous?: Pick<ReleaseVersions, "snapshot" | "timestamp">;
  /** The targets file that the snapshot lists. */
  readonly targets: { readonly version: number; readonly bytes: Uint8Array };
  /** Targets files of delegated roles that it lists too, by the role's name. */
  readonly delegated?: ReadonlyMap<string, { readonly version: number; readonly bytes: Uint8Array }>;
  readonly expiresMs: Readonly<Record<"snapshot" | "timestamp", number>>;
  readonly signers: Readonly<Record<"snapshot" | "timestamp", readonly TufSigner[]>>;
  /** Of the timestamp. */
  readonly custom?: JsonValue;
}

/** Signs a snapshot of an existing targets file and a timestamp: a renewal before the snapshot expires. */
export async function signSnapshotAndTimestamp(options: SignSnapshotAndTimestampOptions): Promise<{
  snapshot: Uint8Array<ArrayBuffer>;
  timestamp: Uint8Array<ArrayBuffer>;
  versions: { snapshot: number; timestamp: number };
}> {
  const { previous, targets, delegated = new Map(), expiresMs, signers } = options;
  const meta: Record<string, JsonValue> = { "targets.json": metaJson(targets.version, targets.bytes) };
  for (const [name, { version, bytes }] of delegated) {
    setOwn<JsonValue>(meta, `${name}.json`, metaJson(version, bytes));
  }
  const versions = { snapshot: (previous?.snapshot ?? 0) + 1, timestamp: (previous?.timestamp ?? 0) + 1 };
  const snapshotFile = { version: versions.snapshot, expiresMs: expiresMs.snapshot };
  const snapshot = await signFile(
    "snapshot",
    unsignedFile("snapshot", snapshotFile, { meta }),
    signers.snapshot,
  );
  const timestamp = await signTimestamp({
    version: versions.timestamp,
    expiresMs: expiresMs.timestamp,
    snapshot: { version: versions.snapshot, bytes: snapshot },
    signers: signers.timestamp,
    ...(options.custom === undefined ? {} : { custom: options.custom }),
  });
  return { snapshot, timestamp, versions };
}

/** Signs a timestamp of an existing snapshot: a renewal before the timestamp expires, or with another `custom`. */
export function signTimestamp(options: {
  readonly version: number;
  readonly expiresMs: number;
  readonly snapshot: { readonly version: number; readonly bytes: Uint8Array };
  readonly signers: readonly TufSigner[];
  readonly custom?: JsonValue;
}): Promise<Uint8Array<ArrayBuffer>> {
  const { snapshot, custom } = options;
  const meta = { "snapshot.json": metaJson(snapshot.version, snapshot.bytes) };
  const fields = { meta, ...(custom === undefined ? {} : { custom }) };
  return signFile("timestamp", unsignedFile("timestamp", options, fields), options.signers);
}

/** Targets that another role signs for. */
export interface DelegationOptions extends RoleKeySet {
  readonly name: string;
  /** Patterns of the paths that it is given: `*` and `?` do not cross a "/". */
  readonly paths: readonly string[];
  /** Whether the search for such a path ends with it. @defaultValue false */
  readonly terminating?: boolean;
}

/** A targets file, of the top-level role or of a delegated one. */
export interface TargetsOptions {
  readonly version: number;
  readonly expiresMs: number;
  readonly targets: Iterable<TargetFile>;
  /** In the order of their priority. */
  readonly delegations?: readonly DelegationOptions[];
}

export function signTargets(
  options: TargetsOptions & { readonly signers: readonly TufSigner[] },
): Promise<Uint8Array<ArrayBuffer>> {
  return signFile("targets", unsignedTargets(options), options.signers);
}

/** A targets file that nobody has signed yet. */
export function unsignedTargets(options: TargetsOptions): Uint8Array<ArrayBuffer> {
  const targets: Record<string, JsonValue> = {};
  for (const { path, length, sha256: digest, custom } of options.targets) {
    if (Object.hasOwn(targets, path)) throw new RangeError(`signTargets: ${path} is listed twice`);
    setOwn<JsonValue>(targets, path, {
      length,
      hashes: { sha256: digest },
      ...(custom === undefined ? {} : { custom }),
    });
  }
  const { delegations = [] } = options;
  const fields =
    delegations.length === 0 ? { targets } : { targets, delegations: delegationsJson(delegations) };
  return unsignedFile("targets", options, fields);
}

function delegationsJson(delegations: readonly DelegationOptions[]): JsonObject {
  const keys: Record<string, JsonValue> = {};
  const roles = delegations.map(({ name, paths, terminating = false, ...set }) => ({
    name,
    ...roleJson(name, set, keys),
    terminating,
    paths: [...paths],
  }));
  return { keys, roles };
}

/** A role as metadata lists it; its keys go to `keys`. */
function roleJson(
  role: string,
  { keys: publicKeys, threshold = 1 }: RoleKeySet,
  keys: Record<string, JsonValue>,
): JsonObject {
  const keyIds = [...new Set(publicKeys.map(keyIdOf))];
  if (threshold < 1 || keyIds.length < threshold) {
    throw new RangeError(
      `tuf: ${role}: threshold ${threshold} needs as many different keys, got ${keyIds.length}`,
    );
  }
  for (const publicKey of publicKeys) keys[keyIdOf(publicKey)] = keyJson(publicKey);
  return { keyids: keyIds, threshold };
}

function metaJson(version: number, bytes: Uint8Array): JsonObject {
  return { version, length: bytes.length, hashes: { sha256: sha256(bytes) } };
}

function unsignedFile(
  role: TufRole,
  { version, expiresMs }: { readonly version: number; readonly expiresMs: number },
  fields: JsonObject,
): Uint8Array<ArrayBuffer> {
  if (!Number.isSafeInteger(version) || version < 1) {
    throw new RangeError(`tuf: ${role}: version must be a positive integer, got ${version}`);
  }
  const signed: JsonObject = {
    _type: role,
    spec_version: SPEC_VERSION,
    version,
    expires: formatExpires(expiresMs),
    ...fields,
  };
  // Canonical form leaves control characters bare, which JSON forbids; the file itself is ordinary JSON.
  return new TextEncoder().encode(JSON.stringify({ signatures: [], signed }));
}

function signFile(
  role: TufRole,
  unsigned: Uint8Array,
  signers: readonly TufSigner[],
): Promise<Uint8Array<ArrayBuffer>> {
  if (signers.length === 0) throw new RangeError(`tuf: ${role}: at least one signer is needed`);
  return addSignatures(unsigned, signers);
}
