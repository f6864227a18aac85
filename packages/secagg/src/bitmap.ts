import { failure } from "@tributary/core";

/** Bytes of a bitmap over a cohort. */
export function bitmapBytes(clients: number): number {
  return Math.ceil(clients / 8);
}

/** Member i is bit i mod 8 of byte i / 8. */
export function toBitmap(members: Iterable<number>, clients: number): Uint8Array<ArrayBuffer> {
  const bitmap = new Uint8Array(bitmapBytes(clients));
  for (const member of members) {
    if (!Number.isInteger(member) || member < 0 || member >= clients) {
      throw new RangeError(`toBitmap: a member below ${clients} expected, got ${member}`);
    }
    bitmap[member >> 3]! |= 1 << (member & 7);
  }
  return bitmap;
}

/**
 * The members of a bitmap, in one canonical form: exact length, no bits beyond the cohort.
 *
 * @throws TributaryError `secagg/unknown-member`.
 */
export function fromBitmap(bitmap: Uint8Array, clients: number): Set<number> {
  if (bitmap.length !== bitmapBytes(clients)) {
    throw failure(
      "secagg/unknown-member",
      `secagg: a bitmap over ${clients} members has ${bitmapBytes(clients)} bytes, got ${bitmap.length}`,
    );
  }
  const members = new Set<number>();
  for (let member = 0; member < 8 * bitmap.length; member++) {
    if ((bitmap[member >> 3]! & (1 << (member & 7))) === 0) continue;
    if (member >= clients) {
      throw failure("secagg/unknown-member", `secagg: a bitmap names member ${member} of ${clients}`, {
        detail: { member },
      });
    }
    members.add(member);
  }
  return members;
}
