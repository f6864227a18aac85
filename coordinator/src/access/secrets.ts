import { createHash, timingSafeEqual } from "node:crypto";
import { encodeBase64url, encodeHex, type SecureRandom } from "@tributary/core";

// What is given out once, and of which only a digest is kept.

/** SHA-256 in hexadecimal. */
export function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Compares in constant time. */
export function sameText(a: string, b: string): boolean {
  return timingSafeEqual(createHash("sha256").update(a).digest(), createHash("sha256").update(b).digest());
}

/** For a cookie, or a link. */
export function newSecret(random: Pick<SecureRandom, "bytes">): string {
  return encodeBase64url(random.bytes(32));
}

/** The name of something that has a secret. */
export function newId(random: Pick<SecureRandom, "bytes">): string {
  return encodeHex(random.bytes(6));
}

/**
 * What the page of a session sends with what it changes: a page of another site cannot read it, so it cannot send it. It follows from the
 * cookie, which leads back from it to nothing.
 */
export function csrfTokenOf(cookie: string): string {
  return createHash("sha256").update(`tributary csrf ${cookie}`).digest("base64url");
}

/**
 * `tributary_op_0123456789ab_…`: what it is for, its id, and 256 random bits. By the beginning, scanners of repositories and logs find one
 * that got there: `tributary_op_[0-9a-f]{12}_[0-9a-f]{64}`.
 */
export const API_TOKEN = /^tributary_op_([0-9a-f]{12})_[0-9a-f]{64}$/;

export function newApiToken(random: Pick<SecureRandom, "bytes">): {
  readonly id: string;
  readonly token: string;
} {
  const id = newId(random);
  return { id, token: `tributary_op_${id}_${encodeHex(random.bytes(32))}` };
}
