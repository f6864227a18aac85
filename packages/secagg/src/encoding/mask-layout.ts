import type { RingSegment } from "./ring.ts";

/** Elements of one segment within a chunk of key stream. */
export interface MaskPiece {
  /** Bits of key stream for one element: the narrowest of 8, 16, 32 that holds the ring. */
  readonly lane: 8 | 16 | 32;
  /** In the chunk; a multiple of 16. */
  readonly byteOffset: number;
  /** First element in the vector. */
  readonly start: number;
  readonly count: number;
}

/** What one call of AES-CTR makes. */
export interface ChunkLayout {
  readonly byteLength: number;
  readonly pieces: readonly MaskPiece[];
}

/** How key stream becomes masks of a vector; the same for all members. */
export interface MaskLayout {
  readonly vectorLength: number;
  readonly byteLength: number;
  readonly chunks: readonly ChunkLayout[];
}

/** Large enough to hide the cost of a call, small enough to stay in a core's cache. */
const MAX_CHUNK_BYTES = 262_144;

const BLOCK_BYTES = 16;

/** Lays a vector's segments out over key stream, in equal chunks of at most 256 KiB. */
export function maskLayout(segments: readonly RingSegment[]): MaskLayout {
  const total = segments.reduce((sum, { count, width }) => sum + blockBytes(count, laneOf(width)), 0);
  const chunkBytes = blockBytes(total / Math.ceil(total / MAX_CHUNK_BYTES), 8);
  const chunks: ChunkLayout[] = [];
  let pieces: MaskPiece[] = [];
  let filled = 0;
  let offset = 0;
  let start = 0;
  const close = (): void => {
    if (pieces.length === 0) return;
    chunks.push({ byteLength: filled, pieces });
    offset += filled;
    pieces = [];
    filled = 0;
  };
  for (const { count, width } of segments) {
    const lane = laneOf(width);
    for (let left = count; left > 0;) {
      const room = ((chunkBytes - filled) * 8) / lane;
      const taken = Math.min(left, room);
      pieces.push({ lane, byteOffset: filled, start, count: taken });
      filled += blockBytes(taken, lane);
      start += taken;
      left -= taken;
      if (filled === chunkBytes) close();
    }
  }
  close();
  return { vectorLength: start, byteLength: offset, chunks };
}

/** Bytes of whole cipher blocks that hold so many elements. */
function blockBytes(count: number, lane: number): number {
  return Math.ceil((count * lane) / 8 / BLOCK_BYTES) * BLOCK_BYTES;
}

function laneOf(width: number): 8 | 16 | 32 {
  return width <= 8 ? 8 : width <= 16 ? 16 : 32;
}
