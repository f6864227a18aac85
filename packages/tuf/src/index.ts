export { canonicalJson } from "./canonical-json.ts";
export {
  createTufClient,
  type NamesOptions,
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
export {
  generateTufKey,
  importTufKey,
  type Ed25519Signer,
  type TufKeyOptions,
  type TufSigner,
} from "./keys.ts";
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
export { generateP256Key, importP256Key } from "./p256.ts";
export { parseMetadata } from "./parse-metadata.ts";
export { ed25519PublicKey, keyIdOf, type TufPublicKey } from "./public-key.ts";
export { addSignatures, mergeSignatures, signingKeyIds } from "./signatures.ts";
export {
  checkRoot,
  signRelease,
  signRoot,
  signSnapshotAndTimestamp,
  signTargets,
  signTimestamp,
  unsignedRoot,
  unsignedTargets,
  type DelegationOptions,
  type ReleaseVersions,
  type RoleKeySet,
  type RootOptions,
  type SignedRelease,
  type SignReleaseOptions,
  type SignRootOptions,
  type SignSnapshotAndTimestampOptions,
  type TargetsOptions,
} from "./sign.ts";
export { parseStrictJson, type StrictJsonOptions } from "./strict-json.ts";
export { createTargetVerifier, verifyTarget, type TargetVerifier } from "./target.ts";
export { TrustedSet, type Outcome, type TrustedSetOptions } from "./trusted-set.ts";
export { byRoot, byTargets, countSignatures, type Delegator } from "./verify-signatures.ts";
export { createVerifier, type SignatureVerifier, type VerifierOptions } from "./verify-key.ts";
