import type { SecureRandom } from "@tributary/core";

/** The smallest prime above 2^256, so that every 32-byte secret is an element. */
export const FIELD_PRIME = 2n ** 256n + 297n;

/** An element takes 257 bits. */
export const FIELD_BYTES = 33;

/** Big-endian bytes as a number. */
export function bytesToNumber(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const first = bytes.length % 8;
  let value = 0n;
  for (let at = 0; at < first; at++) value = (value << 8n) | BigInt(bytes[at]!);
  for (let at = first; at < bytes.length; at += 8) value = (value << 64n) | view.getBigUint64(at);
  return value;
}

/** Whether 33 big-endian bytes are an element: below 2^256 + 297. */
export function isElement(bytes: Uint8Array): boolean {
  if (bytes.length !== FIELD_BYTES || bytes[0]! > 1) return false;
  if (bytes[0] === 0) return true;
  const low = bytes[31]! * 256 + bytes[32]!;
  return low < 297 && bytes.subarray(1, 31).every((byte) => byte === 0);
}

/** A number below 2^(8 length) as big-endian bytes. */
export function numberToBytes(value: bigint, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  const first = length % 8;
  let rest = value;
  for (let at = length - 8; at >= first; at -= 8) {
    view.setBigUint64(at, BigInt.asUintN(64, rest));
    rest >>= 64n;
  }
  for (let at = first - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** Uniform elements by rejection: half of all 257-bit numbers are below the prime. */
export function randomElements(random: SecureRandom, count: number): bigint[] {
  const elements: bigint[] = [];
  while (elements.length < count) {
    const wanted = 2 * (count - elements.length) + 8;
    const drawn = random.bytes(wanted * FIELD_BYTES);
    for (let at = 0; at < drawn.length && elements.length < count; at += FIELD_BYTES) {
      drawn[at]! &= 1;
      const value = bytesToNumber(drawn.subarray(at, at + FIELD_BYTES));
      if (value < FIELD_PRIME) elements.push(value);
    }
    drawn.fill(0);
  }
  return elements;
}

/** value mod modulus, never negative. */
export function mod(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

/** The inverse by the extended Euclidean algorithm; the value is not a multiple of the prime. */
export function invert(value: bigint, prime: bigint): bigint {
  let [r0, r1] = [prime, mod(value, prime)];
  let [t0, t1] = [0n, 1n];
  while (r1 !== 0n) {
    const quotient = r0 / r1;
    [r0, r1] = [r1, r0 - quotient * r1];
    [t0, t1] = [t1, t0 - quotient * t1];
  }
  if (r0 !== 1n) throw new RangeError("invert: zero has no inverse");
  return mod(t0, prime);
}

/** All inverses with one inversion (Montgomery's trick). */
export function invertAll(values: readonly bigint[], prime: bigint): bigint[] {
  const before: bigint[] = [];
  let product = 1n;
  for (const value of values) {
    before.push(product);
    product = mod(product * value, prime);
  }
  let inverse = invert(product, prime);
  const inverses = Array.from<bigint>({ length: values.length });
  for (let i = values.length - 1; i >= 0; i--) {
    inverses[i] = mod(inverse * before[i]!, prime);
    inverse = mod(inverse * values[i]!, prime);
  }
  return inverses;
}

/** 33 bytes of an element. */
export function encodeElement(value: bigint): Uint8Array<ArrayBuffer> {
  return numberToBytes(value, FIELD_BYTES);
}
