import { encodeUtf8 } from "@tributary/core";
import { own } from "./own.ts";

/** HKDF-SHA-256 (RFC 5869). `length` in bytes, at most 255 * 32. */
export async function hkdfSha256(
  subtle: SubtleCrypto,
  secret: Uint8Array<ArrayBuffer>,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const parameters = { name: "HKDF", hash: "SHA-256", salt: own(salt), info: own(info) };
  return new Uint8Array(await subtle.deriveBits(parameters, key, 8 * length));
}

/** What a derived key is for, with the ordered pair of members it belongs to. */
export function keyInfo(purpose: string, first: number, second: number): Uint8Array<ArrayBuffer> {
  return encodeUtf8(`tributary-secagg-${purpose}-v1:${first}:${second}`);
}
