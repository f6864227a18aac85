import { failure } from "./errors.ts";

const HEX = "0123456789abcdef";
const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** By character code; -1 for what is no digit. */
const BASE64URL_VALUES = new Int8Array(128).fill(-1);
for (let value = 0; value < 64; value++) BASE64URL_VALUES[BASE64URL.charCodeAt(value)] = value;

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Lowercase hex. */
export function encodeHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte >> 4]! + HEX[byte & 15]!;
  return text;
}

/** Reads lowercase hex; throws `core/invalid-encoding` on anything else. */
export function decodeHex(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) {
    throw failure(
      "core/invalid-encoding",
      `hex: an even number of 0-9a-f expected, got ${text.length} characters`,
    );
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Base64url without padding (RFC 4648, section 5). */
export function encodeBase64url(bytes: Uint8Array): string {
  let text = "";
  let buffer = 0;
  let bits = 0;
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += BASE64URL[(buffer >> bits) & 63]!;
    }
  }
  return bits === 0 ? text : text + BASE64URL[(buffer << (6 - bits)) & 63]!;
}

/** Reads base64url without padding, in its one canonical form; throws `core/invalid-encoding`. */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 4 === 1) {
    throw failure("core/invalid-encoding", `base64url: ${text.length} characters is not a possible length`);
  }
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let buffer = 0;
  let bits = 0;
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const value = BASE64URL_VALUES[text.charCodeAt(i)] ?? -1;
    if (value < 0) {
      throw failure("core/invalid-encoding", "base64url: only A-Z a-z 0-9 - _ without padding are allowed");
    }
    buffer = ((buffer << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (buffer >> bits) & 255;
    }
  }
  if ((buffer & ((1 << bits) - 1)) !== 0) {
    throw failure("core/invalid-encoding", "base64url: the unused last bits are not zero");
  }
  return bytes;
}

/** UTF-8 bytes of a text. Lone surrogates become U+FFFD. */
export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return utf8Encoder.encode(text);
}

/** Text of UTF-8 bytes, a byte order mark kept; throws `core/invalid-encoding` when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8Decoder.decode(bytes);
  } catch (cause) {
    throw failure("core/invalid-encoding", `utf-8: the ${bytes.length} bytes are not valid UTF-8`, { cause });
  }
}

/**
 * A copy of bytes[begin, end) with memory of its own, always a plain `Uint8Array`. Unlike `slice`, which Node's
 * Buffer overrides with a view of shared memory.
 */
export function copyBytes(bytes: Uint8Array, begin = 0, end = bytes.length): Uint8Array<ArrayBuffer> {
  const part = bytes.subarray(begin, end);
  const copy = new Uint8Array(part.length);
  copy.set(part);
  return copy;
}

/** All parts in one new array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Whether two arrays hold the same bytes; the time depends on the lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
