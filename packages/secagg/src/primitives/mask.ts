import type { ChunkLayout, MaskLayout } from "../encoding/mask-layout.ts";
import { hkdfSha256, keyInfo } from "./kdf.ts";

/** One mask to add to a vector or to take away from it. */
export interface Mask {
  /** An AES-256 key that encrypts nothing but this mask. */
  readonly key: CryptoKey;
  readonly sign: 1 | -1;
}

/**
 * The key of the mask that two members share. The session id binds it to task, round, plan, base weights, encoding
 * and all keys (Pasquini et al. 2022: who is given another model must not cancel).
 *
 * @param secret - the X25519 secret of the two mask keys; overwritten
 */
export async function pairMaskKey(
  subtle: SubtleCrypto,
  secret: Uint8Array<ArrayBuffer>,
  sessionId: Uint8Array,
  [a, b]: readonly [number, number],
): Promise<CryptoKey> {
  const info = keyInfo("pair-mask", Math.min(a, b), Math.max(a, b));
  return maskKey(subtle, secret, sessionId, info);
}

/**
 * The key of a member's self mask.
 *
 * @param seed - 32 bytes, b_u of the paper; overwritten
 */
export async function selfMaskKey(
  subtle: SubtleCrypto,
  seed: Uint8Array<ArrayBuffer>,
  sessionId: Uint8Array,
  member: number,
): Promise<CryptoKey> {
  return maskKey(subtle, seed, sessionId, keyInfo("self-mask", member, member));
}

async function maskKey(
  subtle: SubtleCrypto,
  secret: Uint8Array<ArrayBuffer>,
  sessionId: Uint8Array,
  info: Uint8Array,
): Promise<CryptoKey> {
  const raw = await hkdfSha256(subtle, secret, sessionId, info, 32);
  secret.fill(0);
  const key = await subtle.importKey("raw", raw, "AES-CTR", false, ["encrypt"]);
  raw.fill(0);
  return key;
}

/** The sign with which `self` applies the mask it shares with `peer`: the two cancel. */
export function pairSign(self: number, peer: number): 1 | -1 {
  return self < peer ? 1 : -1;
}

/**
 * Adds masks to a vector, in place, modulo 2^32: each element's low bits are right for its segment's ring, for 2^w
 * divides 2^32. The key stream of AES-256-CTR is read in the narrowest lane (8, 16 or 32 bits) that holds the
 * ring, so that all of the ring's values are equally likely. The next chunk is encrypted while one is added.
 *
 * @param vector - one element for each of the layout
 * @param onMask - after each mask
 */
export async function addMasks(
  subtle: SubtleCrypto,
  vector: Uint32Array,
  masks: readonly Mask[],
  layout: MaskLayout,
  onMask?: () => void,
): Promise<void> {
  const zeros = new Uint8Array(layout.chunks.reduce((most, { byteLength }) => Math.max(most, byteLength), 0));
  const encrypt = (mask: Mask, chunk: ChunkLayout): Promise<ArrayBuffer> =>
    subtle.encrypt(
      { name: "AES-CTR", counter: counterAt(chunk.byteOffset), length: 64 },
      mask.key,
      zeros.subarray(0, chunk.byteLength),
    );
  const steps = masks.length * layout.chunks.length;
  const at = (step: number): [Mask, ChunkLayout] => [
    masks[Math.floor(step / layout.chunks.length)]!,
    layout.chunks[step % layout.chunks.length]!,
  ];
  let next = steps === 0 ? undefined : encrypt(...at(0));
  for (let step = 0; step < steps; step++) {
    const stream = await next!;
    next = step + 1 < steps ? encrypt(...at(step + 1)) : undefined;
    const [mask, chunk] = at(step);
    addChunk(vector, stream, chunk, mask.sign);
    if (onMask !== undefined && (step + 1) % layout.chunks.length === 0) onMask();
  }
}

/** NIST SP 800-38A: the counter block of a key stream's byte, a multiple of 16. */
function counterAt(byteOffset: number): Uint8Array<ArrayBuffer> {
  const counter = new Uint8Array(16);
  new DataView(counter.buffer).setUint32(12, byteOffset / 16);
  return counter;
}

function addChunk(vector: Uint32Array, stream: ArrayBuffer, chunk: ChunkLayout, sign: 1 | -1): void {
  for (const { lane, byteOffset, start, count } of chunk.pieces) {
    const words =
      lane === 8
        ? new Uint8Array(stream, byteOffset, count)
        : lane === 16
          ? new Uint16Array(stream, byteOffset, count)
          : new Uint32Array(stream, byteOffset, count);
    const part = vector.subarray(start, start + count);
    if (words instanceof Uint32Array) addWords(part, words, sign);
    else if (words instanceof Uint16Array) addHalves(part, words, sign);
    else addOctets(part, words, sign);
  }
}

// One loop for each lane: a loop that sees several array types is compiled for none of them.
function addWords(vector: Uint32Array, words: Uint32Array, sign: 1 | -1): void {
  const { length } = words;
  if (sign === 1) for (let i = 0; i < length; i++) vector[i] = vector[i]! + words[i]!;
  else for (let i = 0; i < length; i++) vector[i] = vector[i]! - words[i]!;
}

function addHalves(vector: Uint32Array, halves: Uint16Array, sign: 1 | -1): void {
  const { length } = halves;
  if (sign === 1) for (let i = 0; i < length; i++) vector[i] = vector[i]! + halves[i]!;
  else for (let i = 0; i < length; i++) vector[i] = vector[i]! - halves[i]!;
}

function addOctets(vector: Uint32Array, octets: Uint8Array, sign: 1 | -1): void {
  const { length } = octets;
  if (sign === 1) for (let i = 0; i < length; i++) vector[i] = vector[i]! + octets[i]!;
  else for (let i = 0; i < length; i++) vector[i] = vector[i]! - octets[i]!;
}
