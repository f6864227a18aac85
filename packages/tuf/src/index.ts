export { canonicalJson } from "./canonical-json.ts";
export {
  createTufClient,
  type TufClient,
  type TufClientOptions,
  type TufFetcher,
  type TufStore,
} from "./client.ts";
export {
  detectEd25519,
  nobleEd25519,
  webCryptoEd25519,
  type Ed25519,
  type Ed25519KeyPair,
} from "./ed25519.ts";
export type { JsonArray, JsonObject, JsonValue } from "./json.ts";
export { generateTufKey, importTufKey, keyIdOf, type TufKeyOptions, type TufSigner } from "./keys.ts";
export { DEFAULT_TUF_LIMITS, METADATA_BOUNDS, type TufLimits } from "./limits.ts";
export {
  SPEC_VERSION,
  TUF_ROLES,
  type DelegatedRole,
  type Delegations,
  type Envelope,
  type MetadataByRole,
  type MetaFile,
  type RoleKeys,
  type RootMetadata,
  type SnapshotMetadata,
  type TargetFile,
  type TargetsMetadata,
  type TimestampMetadata,
  type TufKey,
  type TufRole,
  type TufSignature,
} from "./metadata.ts";
export { parseMetadata } from "./parse-metadata.ts";
export {
  signRelease,
  signRoot,
  signSnapshotAndTimestamp,
  signTargets,
  signTimestamp,
  type DelegationOptions,
  type ReleaseVersions,
  type RoleKeySet,
  type SignedRelease,
  type SignReleaseOptions,
  type SignRootOptions,
  type SignSnapshotAndTimestampOptions,
} from "./sign.ts";
export { parseStrictJson, type StrictJsonOptions } from "./strict-json.ts";
export { createTargetVerifier, verifyTarget, type TargetVerifier } from "./target.ts";
export { TrustedSet, type Outcome, type TrustedSetOptions } from "./trusted-set.ts";
export { createVerifier, type SignatureVerifier, type VerifierOptions } from "./verify-key.ts";
