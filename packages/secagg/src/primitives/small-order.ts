import { decodeHex, equalBytes } from "@tributary/core";

/**
 * u-coordinates of the points of Curve25519 and its twist whose order divides 8, little-endian, with the forms that
 * are not reduced modulo p = 2^255 - 19 (RFC 7748, section 7): with any of them every shared secret is zero.
 */
const SMALL_ORDER = [
  // 0 and 1.
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  // The two of order 8.
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  // p - 1, p and p + 1.
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map(decodeHex);

/** Whether an X25519 public key of 32 bytes makes every shared secret zero. X25519 ignores the highest bit. */
export function hasSmallOrder(publicKey: Uint8Array): boolean {
  const u = publicKey.slice();
  u[31]! &= 0x7f;
  return SMALL_ORDER.some((point) => equalBytes(point, u));
}
