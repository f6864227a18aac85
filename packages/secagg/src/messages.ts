import { bytes, fixedBytes, list, struct, u16, type Codec } from "@tributary/core";
import { FIELD_BYTES } from "./primitives/field.ts";
import { TAG_BYTES } from "./primitives/share-cipher.ts";

/** Limits of what a message may hold. */
export const SECAGG_LIMITS = Object.freeze({
  /** Members of one cohort. */
  maxClients: 10_000,
  maxCertificateBytes: 1024,
  /** What shows, beside the certificates, that members are who they say. */
  maxMembershipProofBytes: 11 * 1024 * 1024,
  /** A packed vector; 16 million parameters of 32 bits. */
  maxVectorBytes: 64 * 1024 * 1024,
});

const MAX = SECAGG_LIMITS.maxClients;
const hash = fixedBytes(32);
const bitmap = bytes({ max: MAX / 8 });

/** What a member brings to a cohort. */
export interface CohortMember {
  /** The issuer's certificate of the member's identity key. */
  certificate: Uint8Array;
  /** Hash of the nonce that the member will reveal with its keys. */
  commitment: Uint8Array;
}
export const CohortMember: Codec<CohortMember> = struct({
  certificate: bytes({ max: SECAGG_LIMITS.maxCertificateBytes }),
  commitment: hash,
});

/** The cohort, fixed before any member reveals its nonce; a member's number is its place here. */
export interface CohortList {
  members: readonly CohortMember[];
  /**
   * For whoever runs the protocol to check the certificates with, such as proofs that they stand in a log. It means nothing here, but
   * is hashed with the list: members of one session saw the same.
   */
  membershipProof: Uint8Array;
}
export const CohortList: Codec<CohortList> = struct({
  members: list(CohortMember, { max: MAX }),
  membershipProof: bytes({ max: SECAGG_LIMITS.maxMembershipProofBytes }),
});

/** Round 0 of the paper, with the nonce of the graph. */
export interface Advertisement {
  member: number;
  nonce: Uint8Array;
  /** X25519: shares are encrypted with it, c_u^PK. */
  encryptionKey: Uint8Array;
  /** X25519: pair masks come from it, s_u^PK. */
  maskKey: Uint8Array;
  /** By the member's identity key, over the cohort id and everything above. */
  signature: Uint8Array;
}
export const Advertisement: Codec<Advertisement> = struct({
  member: u16,
  nonce: hash,
  encryptionKey: hash,
  maskKey: hash,
  signature: fixedBytes(64),
});

/** U1: all advertisements, ascending by member. */
export interface KeyList {
  advertisements: readonly Advertisement[];
}
export const KeyList: Codec<KeyList> = struct({ advertisements: list(Advertisement, { max: MAX }) });

/** Both shares of one member's secrets with the numbers of giver and holder: what is encrypted. */
export interface SharePair {
  from: number;
  to: number;
  /** Of the secret mask key, s_u^SK. */
  keyShare: Uint8Array;
  /** Of the self mask's seed, b_u. */
  seedShare: Uint8Array;
}
export const SharePair: Codec<SharePair> = struct({
  from: u16,
  to: u16,
  keyShare: fixedBytes(FIELD_BYTES),
  seedShare: fixedBytes(FIELD_BYTES),
});

export const SHARE_CIPHERTEXT_BYTES: number = 4 + 2 * FIELD_BYTES + TAG_BYTES;
const ciphertext = fixedBytes(SHARE_CIPHERTEXT_BYTES);

export interface AddressedShare {
  to: number;
  ciphertext: Uint8Array;
}
export const AddressedShare: Codec<AddressedShare> = struct({ to: u16, ciphertext });

/** Round 1: the encrypted shares of one member. */
export interface ShareBundle {
  sessionId: Uint8Array;
  member: number;
  /** Hash of b_u: what is reconstructed from false shares is noticed. */
  seedCommitment: Uint8Array;
  /** Ascending, one for each neighbour in U1. */
  shares: readonly AddressedShare[];
}
export const ShareBundle: Codec<ShareBundle> = struct({
  sessionId: hash,
  member: u16,
  seedCommitment: hash,
  shares: list(AddressedShare, { max: MAX }),
});

export interface ReceivedShare {
  from: number;
  ciphertext: Uint8Array;
}
export const ReceivedShare: Codec<ReceivedShare> = struct({ from: u16, ciphertext });

/** U2, and the shares that its members sealed for the receiver. */
export interface ShareInbox {
  sharers: Uint8Array;
  /** Ascending. */
  shares: readonly ReceivedShare[];
}
export const ShareInbox: Codec<ShareInbox> = struct({
  sharers: bitmap,
  shares: list(ReceivedShare, { max: MAX }),
});

/** Round 2. */
export interface MaskedInput {
  sessionId: Uint8Array;
  member: number;
  /** Packed to each segment's ring width. */
  vector: Uint8Array;
}
export const MaskedInput: Codec<MaskedInput> = struct({
  sessionId: hash,
  member: u16,
  vector: bytes({ max: SECAGG_LIMITS.maxVectorBytes }),
});

/** U3 and U2 \ U3. */
export interface Survivors {
  survivors: Uint8Array;
  dropouts: Uint8Array;
}
export const Survivors: Codec<Survivors> = struct({ survivors: bitmap, dropouts: bitmap });

/** Round 3: a signature of H(session id, bitmap of U3), at most one in a member's session. */
export interface SurvivorSignature {
  sessionId: Uint8Array;
  member: number;
  signature: Uint8Array;
}
export const SurvivorSignature: Codec<SurvivorSignature> = struct({
  sessionId: hash,
  member: u16,
  signature: fixedBytes(64),
});

export interface MemberSignature {
  member: number;
  signature: Uint8Array;
}
export const MemberSignature: Codec<MemberSignature> = struct({ member: u16, signature: fixedBytes(64) });

/** The signatures of U4, ascending by member. */
export interface SignatureList {
  signatures: readonly MemberSignature[];
}
export const SignatureList: Codec<SignatureList> = struct({
  signatures: list(MemberSignature, { max: MAX }),
});

export interface RevealedShare {
  /** Whose secret it is a share of. */
  of: number;
  share: Uint8Array;
}
export const RevealedShare: Codec<RevealedShare> = struct({ of: u16, share: fixedBytes(FIELD_BYTES) });

/** Round 4: for each member either a share of its seed or one of its key. */
export interface UnmaskShares {
  sessionId: Uint8Array;
  member: number;
  /** Of survivors, ascending. */
  seedShares: readonly RevealedShare[];
  /** Of dropouts, ascending. */
  keyShares: readonly RevealedShare[];
}
export const UnmaskShares: Codec<UnmaskShares> = struct({
  sessionId: hash,
  member: u16,
  seedShares: list(RevealedShare, { max: MAX }),
  keyShares: list(RevealedShare, { max: MAX }),
});
