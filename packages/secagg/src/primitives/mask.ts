import type { MaskLayout } from "../encoding/mask-layout.ts";
import { MaskAdder } from "./mask-adder.ts";
import { keyInfo } from "./kdf.ts";
import type { MaskKey, MaskKeys } from "./mask-keys.ts";

/** One mask to add to a vector or to take away from it. */
export interface Mask {
  readonly key: MaskKey;
  readonly sign: 1 | -1;
}

/**
 * The key of the mask that two members share. The session id binds it to task, round, plan, base weights, encoding
 * and all keys (Pasquini et al. 2022: who is given another model must not cancel).
 *
 * @param secret - the X25519 secret of the two mask keys; overwritten
 */
export async function pairMaskKey(
  masks: MaskKeys,
  secret: Uint8Array<ArrayBuffer>,
  sessionId: Uint8Array,
  [a, b]: readonly [number, number],
): Promise<MaskKey> {
  const info = keyInfo("pair-mask", Math.min(a, b), Math.max(a, b));
  return masks.derive(secret, { salt: sessionId, info });
}

/**
 * The key of a member's self mask.
 *
 * @param seed - 32 bytes, b_u of the paper; overwritten
 */
export async function selfMaskKey(
  masks: MaskKeys,
  seed: Uint8Array<ArrayBuffer>,
  sessionId: Uint8Array,
  member: number,
): Promise<MaskKey> {
  return masks.derive(seed, { salt: sessionId, info: keyInfo("self-mask", member, member) });
}

/** The sign with which `self` applies the mask it shares with `peer`: the two cancel. */
export function pairSign(self: number, peer: number): 1 | -1 {
  return self < peer ? 1 : -1;
}

/** Streams that are open at once: enough to copy each chunk of the vector seldom. */
export const OPEN_STREAMS = 64;

/**
 * Adds masks to a vector, in place, modulo 2^32: each element's low bits are right for its segment's ring, for 2^w
 * divides 2^32. The key stream of AES-256-CTR is read in the narrowest lane (8, 16 or 32 bits) that holds the
 * ring, so that all of the ring's values are equally likely. The next chunk is asked for while one is added.
 *
 * @param vector - one element for each of the layout
 * @param adder - of this layout, for those who call more than once
 */
export async function addMasks(
  vector: Uint32Array,
  masks: readonly Mask[],
  { chunks }: MaskLayout,
  adder = new MaskAdder(chunks),
): Promise<void> {
  for (let from = 0; from < masks.length; from += OPEN_STREAMS) {
    const group = masks.slice(from, from + OPEN_STREAMS);
    const streams = group.map(({ key }) => key.stream());
    for (const chunk of chunks) {
      adder.load(vector, chunk);
      let next = streams[0]!.next(chunk.byteLength);
      for (const [i, { sign }] of group.entries()) {
        const bytes = await next;
        if (i + 1 < group.length) next = streams[i + 1]!.next(chunk.byteLength);
        adder.add(chunk, bytes, sign);
        // Given back at once, where the platform can (not before Chrome 114, Firefox 122, Safari 17.4): tens of megabytes
        // of fresh memory cost more than the cipher.
        bytes.buffer.transfer?.(0);
      }
      adder.store(vector, chunk);
    }
  }
}
