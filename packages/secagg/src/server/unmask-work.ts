import type { RingSegment } from "../encoding/ring.ts";
import { maskLayout } from "../encoding/mask-layout.ts";
import type { SecAggCrypto } from "../primitives/crypto.ts";
import { MaskAdder } from "../primitives/mask-adder.ts";
import { addMasks, pairMaskKey, pairSign, selfMaskKey, type Mask } from "../primitives/mask.ts";

/** A survivor's self mask. */
export interface SelfMaskItem {
  readonly type: "self";
  readonly member: number;
  /** b_u, 32 bytes. */
  readonly seed: Uint8Array<ArrayBuffer>;
}

/** The masks that a dropout shared with survivors. */
export interface PairMasksItem {
  readonly type: "pairs";
  readonly member: number;
  /** s_u^SK, 32 bytes. */
  readonly maskSecret: Uint8Array<ArrayBuffer>;
  readonly peers: readonly { readonly member: number; readonly maskKey: Uint8Array }[];
}

export type UnmaskItem = SelfMaskItem | PairMasksItem;

/** The masks that stand between a masked sum and the sum. Plain data: it can go to worker threads. */
export interface UnmaskWork {
  readonly sessionId: Uint8Array;
  readonly segments: readonly RingSegment[];
  readonly items: readonly UnmaskItem[];
}

/** How many masks work expands: what its time is proportional to. */
export function maskCount({ items }: UnmaskWork): number {
  return items.reduce((sum, item) => sum + sizeOf(item), 0);
}

function sizeOf(item: UnmaskItem): number {
  return item.type === "self" ? 1 : item.peers.length;
}

/** Cuts work into parts with equally many masks, for as many worker threads. Parts may be empty. */
export function splitUnmaskWork(work: UnmaskWork, parts: number): UnmaskWork[] {
  const total = maskCount(work);
  const shares: UnmaskItem[][] = Array.from({ length: parts }, () => []);
  let done = 0;
  for (const item of work.items) {
    let left: UnmaskItem | undefined = item;
    while (left !== undefined) {
      const part = Math.min(parts - 1, Math.floor((done * parts) / total));
      const room = Math.ceil(((part + 1) * total) / parts) - done;
      const taken: UnmaskItem =
        left.type === "self" ? left : { ...left, peers: left.peers.slice(0, Math.max(1, room)) };
      shares[part]!.push(taken);
      done += sizeOf(taken);
      left =
        left.type === "pairs" && taken.type === "pairs" && taken.peers.length < left.peers.length
          ? { ...left, peers: left.peers.slice(taken.peers.length) }
          : undefined;
    }
  }
  return shares.map((items) => ({ ...work, items }));
}

/** Key agreements under way at once: enough to hide their latency, few enough to hold no list of all keys. */
const BATCH = 64;

export interface UnmaskOptions {
  readonly signal?: AbortSignal;
  /** After each batch, masks expanded so far. */
  readonly onProgress?: (done: number) => void;
}

/**
 * The sum of work's masks as they stand in the masked sum, modulo 2^32. Depends on nothing but its arguments;
 * overwrites the secrets in the work.
 */
export async function sumOfMasks(
  crypto: SecAggCrypto,
  { sessionId, segments, items }: UnmaskWork,
  { signal, onProgress }: UnmaskOptions = {},
): Promise<Uint32Array<ArrayBuffer>> {
  const layout = maskLayout(segments);
  const adder = new MaskAdder(layout.chunks);
  const sum = new Uint32Array(layout.vectorLength);
  const derive = async (batch: readonly UnmaskItem[]): Promise<Mask[]> =>
    (await Promise.all(batch.map((item) => masksOf(crypto, item, sessionId)))).flat();
  let done = 0;
  let masks: Mask[] = [];
  // While one batch is added, the next one's keys are agreed on.
  for (const batch of [...batches(items), []]) {
    signal?.throwIfAborted();
    const [next] = await Promise.all([derive(batch), addMasks(sum, masks, layout, adder)]);
    done += masks.length;
    if (masks.length > 0) onProgress?.(done);
    masks = next;
  }
  return sum;
}

async function masksOf(crypto: SecAggCrypto, item: UnmaskItem, sessionId: Uint8Array): Promise<Mask[]> {
  if (item.type === "self") {
    return [{ key: await selfMaskKey(crypto.masks, item.seed, sessionId, item.member), sign: 1 }];
  }
  const agreement = await crypto.x25519.importSecret(item.maskSecret);
  return Promise.all(
    item.peers.map(async ({ member, maskKey }): Promise<Mask> => {
      const secret = await agreement.agree(maskKey);
      const key = await pairMaskKey(crypto.masks, secret, sessionId, [member, item.member]);
      return { key, sign: pairSign(member, item.member) };
    }),
  );
}

function* batches(items: readonly UnmaskItem[]): Generator<UnmaskItem[]> {
  let batch: UnmaskItem[] = [];
  let size = 0;
  for (const item of items) {
    batch.push(item);
    size += sizeOf(item);
    if (size < BATCH) continue;
    yield batch;
    batch = [];
    size = 0;
  }
  if (batch.length > 0) yield batch;
}
