import type { Digest } from "@tributary/core";
import type { JsonValue } from "./json.ts";

/** The four top-level roles (spec 2.1). */
export const TUF_ROLES = ["root", "timestamp", "snapshot", "targets"] as const;
export type TufRole = (typeof TUF_ROLES)[number];

/** The spec version that files signed here declare; any 1.x is read. */
export const SPEC_VERSION = "1.0.34";

/** A public key as listed in root metadata (spec 4.2). Unknown types are kept: they count for nothing, but do not break the file. */
export interface TufKey {
  readonly keyId: string;
  readonly keyType: string;
  readonly scheme: string;
  /** Hexadecimal for Ed25519, PEM for the others. */
  readonly public: string;
}

export interface RoleKeys {
  readonly keyIds: readonly string[];
  /** Distinct keys that have to sign, at least 1. */
  readonly threshold: number;
}

interface SignedFields {
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly expiresMs: number;
}

export interface RootMetadata extends SignedFields {
  readonly role: "root";
  readonly consistentSnapshot: boolean;
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly roles: Readonly<Record<TufRole, RoleKeys>>;
}

/** What one metadata file says about another. */
export interface MetaFile {
  readonly version: number;
  readonly length?: number;
  readonly sha256?: Digest;
}

export interface TimestampMetadata extends SignedFields {
  readonly role: "timestamp";
  readonly snapshot: MetaFile;
  /** A field beyond the spec, which clients that do not know it ignore (spec 4): what has to be signed often and is small. */
  readonly custom: JsonValue | undefined;
}

export interface SnapshotMetadata extends SignedFields {
  readonly role: "snapshot";
  /** By file name ("targets.json"), without version prefix. */
  readonly meta: ReadonlyMap<string, MetaFile>;
}

/** A target as signed metadata describes it. */
export interface TargetFile {
  readonly path: string;
  /** Bytes. */
  readonly length: number;
  readonly sha256: Digest;
  readonly custom: JsonValue | undefined;
}

/** Targets that another role may sign for (spec 4.5). */
export interface DelegatedRole extends RoleKeys {
  /** Not one of the four top-level roles. */
  readonly name: string;
  /** Whether the search for a path that this role is given ends with it. */
  readonly terminating: boolean;
  /** Which paths it is given: patterns (PATHPATTERN), or the beginnings of hashes (PATH_HEX_DIGEST). */
  readonly paths:
    | { readonly kind: "patterns"; readonly patterns: readonly string[] }
    | { readonly kind: "hash-prefixes"; readonly prefixes: readonly string[] };
}

export interface Delegations {
  readonly keys: ReadonlyMap<string, TufKey>;
  /** In the order of their priority. */
  readonly roles: readonly DelegatedRole[];
}

export interface TargetsMetadata extends SignedFields {
  readonly role: "targets";
  readonly targets: ReadonlyMap<string, TargetFile>;
  readonly delegations: Delegations;
}

export interface MetadataByRole {
  root: RootMetadata;
  timestamp: TimestampMetadata;
  snapshot: SnapshotMetadata;
  targets: TargetsMetadata;
}

export interface TufSignature {
  readonly keyId: string;
  /** Hexadecimal; empty where a key has not signed yet. */
  readonly signature: string;
}

/** A metadata file that was read but not verified. */
export interface Envelope<M> {
  readonly signed: M;
  /** What the signatures cover. */
  readonly signedBytes: Uint8Array<ArrayBuffer>;
  readonly signatures: readonly TufSignature[];
  /** The file, verbatim. */
  readonly bytes: Uint8Array;
}
