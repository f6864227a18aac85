import type { Digest, ModelName } from "@tributary/core";
import type { TufPublicKey } from "@tributary/tuf";
import type { JsonValue } from "./json.ts";

export type TufRole = "root" | "timestamp" | "snapshot" | "targets";

/** Signed metadata, byte for byte as it is served. */
export interface SignedMetadata {
  /** A top-level one, or one that is delegated to. */
  readonly role: string;
  readonly version: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Who signs for a role, as operators want it; what is signed follows as soon as its keys have signed it. */
export interface RoleRecord {
  readonly role: string;
  /** Whose targets it signs; null of the top-level roles. */
  readonly model: ModelName | null;
  readonly keys: readonly TufPublicKey[];
  /** How many of them have to sign. */
  readonly threshold: number;
}

/** The next metadata of a role whose keys are not all here: what operators export, sign and import. */
export interface DraftRecord {
  readonly role: string;
  /** The file with the signatures so far. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** One entry of a role's targets metadata. */
export interface TargetRecord {
  /** "targets", or the delegated role that signs for it. Two roles may name one path. */
  readonly role: string;
  readonly path: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly custom: JsonValue | null;
}

/**
 * A change of the release: the newly signed metadata and the targets rows that it lists.
 * `expectedTimestampVersion` fences it: another release committed in between makes it fail with `store/conflict`.
 */
export interface ReleaseChange {
  /** The newest timestamp version when the numbers were allocated; null: there was none. */
  readonly expectedTimestampVersion: number | null;
  readonly metadata: readonly SignedMetadata[];
  readonly put: readonly TargetRecord[];
  /** Paths, whichever roles name them. */
  readonly remove: readonly string[];
  /** Roles that are new, or signed by others from here on. */
  readonly roles: readonly RoleRecord[];
  /** All drafts there are from here on. */
  readonly drafts: readonly DraftRecord[];
}
