export { fromBitmap, toBitmap } from "./bitmap.ts";
export { SecAggClient } from "./client/client.ts";
export { DEFAULT_MINIMUM_COHORT, LEAST_COHORT, type SecAggClientOptions } from "./client/options.ts";
export type { ClientStageName } from "./client/stages.ts";
export { decodeSum } from "./encoding/decode-sum.ts";
export {
  encodeContribution,
  type ClampedShare,
  type Contribution,
  type EncodedContribution,
} from "./encoding/encode-vector.ts";
export { maskLayout, type MaskLayout } from "./encoding/mask-layout.ts";
export { PackedAdder } from "./encoding/packed-adder.ts";
export { packVector, packedBytes } from "./encoding/packing.ts";
export {
  describeEncoding,
  planEncoding,
  type EncodingPlan,
  type PlannedSegment,
} from "./encoding/plan-encoding.ts";
export { addVector, reduceToRing, type RingSegment } from "./encoding/ring.ts";
export { rotate, rotateBack } from "./encoding/rotation.ts";
export {
  EncodingSpec,
  type CountsSegment,
  type RealsSegment,
  type Segment,
  type StateSegment,
  type UpdateSegment,
} from "./encoding/segment.ts";
export { SpendableVector } from "./encoding/spendable-vector.ts";
export { chooseGraph, type GraphAssumptions, type GraphRow } from "./graph/choose-graph.ts";
export { neighbourGraph, type NeighbourGraph } from "./graph/neighbour-graph.ts";
export {
  cohortShape,
  majorityThreshold,
  REGULAR_GRAPH_FROM,
  type CohortAssumptions,
  type CohortShape,
} from "./graph/thresholds.ts";
export type { VerifiedIdentity, VerifyCertificate } from "./identity.ts";
export {
  Advertisement,
  CohortList,
  CohortMember,
  KeyList,
  MaskedInput,
  SECAGG_LIMITS,
  ShareBundle,
  ShareInbox,
  SharePair,
  SignatureList,
  Survivors,
  SurvivorSignature,
  UnmaskShares,
} from "./messages.ts";
export { openSecAggCrypto, type SecAggCrypto } from "./primitives/crypto.ts";
export { bytesToNumber, encodeElement, FIELD_PRIME, numberToBytes } from "./primitives/field.ts";
export { hkdfSha256 } from "./primitives/kdf.ts";
export { webCryptoMaskKeys, type KeyStream, type MaskKey, type MaskKeys } from "./primitives/mask-keys.ts";
export { addMasks, pairMaskKey, pairSign, selfMaskKey, type Mask } from "./primitives/mask.ts";
export { combine, evaluate, lagrangeWeights, splitSecret, type SharePoint } from "./primitives/shamir.ts";
export {
  detectX25519,
  nobleX25519,
  webCryptoX25519,
  type AgreementKey,
  type X25519,
} from "./primitives/x25519.ts";
export type { Acceptance, CohortSum, SecAggServerOptions, ServerStage } from "./server/options.ts";
export { SecAggServer } from "./server/server.ts";
export {
  maskCount,
  splitUnmaskWork,
  sumOfMasks,
  type UnmaskItem,
  type UnmaskOptions,
  type UnmaskWork,
} from "./server/unmask-work.ts";
export type { SessionBinding } from "./transcript.ts";
