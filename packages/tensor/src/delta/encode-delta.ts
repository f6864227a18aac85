import { DELTA_MAGIC, DELTA_VERSION, REGION } from "./delta-format.ts";
import { DeltaWriter } from "./delta-writer.ts";
import { applyQuantizedStep, type QuantizedStep } from "./quantized-step.ts";
import { writePlane } from "./write-plane.ts";

/** A part of a file whose bytes are numbers of one kind. What no region covers is bytes of their own. */
export interface DeltaRegion {
  readonly begin: number;
  readonly end: number;
  /** Of one number; differences are taken of whole ones. */
  readonly elementBytes: 1 | 2 | 4;
  /** The step between two files of float32 values, where it is known. */
  readonly step?: QuantizedStep | undefined;
}

/**
 * What turns `base` into `next`, for `applyDelta`. The same files always give the same bytes. Undefined where their lengths differ:
 * then the whole file is the delta.
 *
 * @param regions - in the order of the file
 */
export function encodeDelta(
  base: Uint8Array,
  next: Uint8Array,
  regions: readonly DeltaRegion[],
): Uint8Array<ArrayBuffer> | undefined {
  if (base.length !== next.length || next.length > 0xffff_ffff) return undefined;
  const pieces = joinUnchanged(base, next, covering(regions, next.length));
  const writer = new DeltaWriter();
  writer.u32(DELTA_MAGIC);
  writer.u8(DELTA_VERSION);
  writer.u32(next.length);
  writer.varint(pieces.length);
  for (const piece of pieces) {
    writer.varint(piece.end - piece.begin);
    writer.bytes(pieceBytes(base, next, piece));
  }
  return writer.finish();
}

interface Piece extends DeltaRegion {
  readonly isSame?: boolean;
}

/** Bytes of no known kind are told apart by where they lie. */
const PART_BYTES = 64 * 1024;

/** The regions with what lies between them. */
function covering(regions: readonly DeltaRegion[], length: number): DeltaRegion[] {
  const all: DeltaRegion[] = [];
  let at = 0;
  const fill = (end: number): void => {
    for (; at < end; at = Math.min(end, at + PART_BYTES))
      all.push({ begin: at, end: Math.min(end, at + PART_BYTES), elementBytes: 1 });
  };
  for (const region of regions) {
    if (region.begin < at || region.end < region.begin || region.end > length)
      throw new RangeError(`encodeDelta: a region from ${region.begin} to ${region.end} is out of place`);
    fill(region.begin);
    if (region.end > region.begin) all.push(region);
    at = region.end;
  }
  fill(length);
  return all;
}

/** Regions that are the same in both files take two bytes together. */
function joinUnchanged(base: Uint8Array, next: Uint8Array, regions: readonly DeltaRegion[]): Piece[] {
  const pieces: Piece[] = [];
  for (const region of regions) {
    const isSame = sameBytes(base, next, region);
    const last = pieces.at(-1);
    if (isSame && last?.isSame === true) pieces[pieces.length - 1] = { ...last, end: region.end };
    else pieces.push({ ...region, isSame });
  }
  return pieces;
}

function pieceBytes(base: Uint8Array, next: Uint8Array, piece: Piece): Uint8Array {
  const { begin, end, isSame, step, elementBytes } = piece;
  if (isSame === true) return Uint8Array.of(REGION.copy);
  const before = base.slice(begin, end);
  const after = next.subarray(begin, end);
  if (step !== undefined && isStep(before, after, step)) return stepBytes(step);
  const difference = differenceBytes(before, after, elementBytes);
  if (difference.length <= after.length) return difference;
  const writer = new DeltaWriter();
  writer.u8(REGION.replace);
  writer.bytes(after);
  return writer.finish();
}

/** Whether the step alone makes the new values of the old: running statistics, for one, change otherwise. */
function isStep(before: Uint8Array<ArrayBuffer>, after: Uint8Array, step: QuantizedStep): boolean {
  if (step.values.length * 4 !== before.length) return false;
  const stepped = before.slice();
  applyQuantizedStep(new Float32Array(stepped.buffer), step);
  return sameBytes(stepped, after, { begin: 0, end: after.length });
}

function stepBytes({ scales, values }: QuantizedStep): Uint8Array {
  const writer = new DeltaWriter();
  writer.u8(REGION.step);
  writer.varint(scales.length);
  for (const bits of new Uint32Array(scales.slice().buffer)) writer.u16(bits >>> 16);
  writePlane(writer, values);
  return writer.finish();
}

function differenceBytes(before: Uint8Array, after: Uint8Array, elementBytes: 1 | 2 | 4): Uint8Array {
  const writer = new DeltaWriter();
  writer.u8(REGION.difference);
  writer.u8(elementBytes);
  const count = after.length / elementBytes;
  const plane = new Int8Array(count);
  if (elementBytes === 1) {
    for (let i = 0; i < count; i++) plane[i] = after[i]! - before[i]!;
    writePlane(writer, plane);
    return writer.finish();
  }
  const [from, to] = [before, after].map(
    (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
  );
  const differences = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const difference =
      elementBytes === 2
        ? ((to!.getUint16(2 * i, true) - from!.getUint16(2 * i, true)) << 16) >> 16
        : (to!.getUint32(4 * i, true) - from!.getUint32(4 * i, true)) | 0;
    // Small differences of either sign are small numbers: 0, -1, 1, -2, ...
    differences[i] = (difference << 1) ^ (difference >> 31);
  }
  for (let shift = 0; shift < 8 * elementBytes; shift += 8) {
    for (let i = 0; i < count; i++) plane[i] = differences[i]! >>> shift;
    writePlane(writer, plane);
  }
  return writer.finish();
}

function sameBytes(
  a: Uint8Array,
  b: Uint8Array,
  { begin, end }: { readonly begin: number; readonly end: number },
): boolean {
  for (let i = begin; i < end; i++) if (a[i] !== b[i]) return false;
  return true;
}
