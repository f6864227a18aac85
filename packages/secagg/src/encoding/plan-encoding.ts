import { encode, failure, sha256, type Digest } from "@tributary/core";
import { SECAGG_LIMITS } from "../messages.ts";
import { maskLayout, type MaskLayout } from "./mask-layout.ts";
import { packedBytes } from "./packing.ts";
import { MAX_WIDTH, MIN_WIDTH, vectorLength, type RingSegment } from "./ring.ts";
import { EncodingSpec, type Segment } from "./segment.ts";

/** A segment with its ring, and why no sum can leave the ring. */
export interface PlannedSegment extends RingSegment {
  readonly segment: Segment;
  /** Value of one code; 1 for counts. */
  readonly step: number;
  /** The largest code of one member. */
  readonly maxCode: number;
  /** clients * maxCode: the largest sum. */
  readonly maxSum: number;
  /** 2^width - 1: the largest number of the ring, at least maxSum. */
  readonly capacity: number;
  /** Variance that rounding adds to one coordinate of the sum, at most; 0 for counts. */
  readonly roundingVariance: number;
}

/** An encoding that was proved not to wrap. */
export interface EncodingPlan {
  readonly spec: EncodingSpec;
  /** SHA-256 of the specification's bytes. */
  readonly digest: Digest;
  readonly segments: readonly PlannedSegment[];
  /** Elements. */
  readonly vectorLength: number;
  /** Bytes of a masked vector on the wire. */
  readonly packedBytes: number;
  readonly layout: MaskLayout;
}

/**
 * Gives each segment the narrowest ring in which the sum over all clients fits, which proves that nothing wraps.
 *
 * @throws TributaryError `secagg/ring-overflow` when a segment needs more than 32 bits.
 */
export function planEncoding(spec: EncodingSpec): EncodingPlan {
  const { clients, maxWeight } = spec;
  if (!Number.isInteger(clients) || clients < 2 || clients > SECAGG_LIMITS.maxClients) {
    throw new RangeError(
      `planEncoding: clients must be an integer from 2 to ${SECAGG_LIMITS.maxClients}, got ${clients}`,
    );
  }
  if (!(maxWeight > 0) || !Number.isFinite(maxWeight)) {
    throw new RangeError(`planEncoding: maxWeight must be positive, got ${maxWeight}`);
  }
  if (spec.segments.length === 0) throw new RangeError("planEncoding: at least one segment is needed");
  const segments = spec.segments.map((segment) => planSegment(segment, clients));
  const bytes = packedBytes(segments);
  if (bytes > SECAGG_LIMITS.maxVectorBytes) {
    throw new RangeError(
      `planEncoding: a vector of at most ${SECAGG_LIMITS.maxVectorBytes} bytes expected, got ${bytes}`,
    );
  }
  return {
    spec,
    digest: sha256(encode(EncodingSpec, spec)),
    segments,
    vectorLength: vectorLength(segments),
    packedBytes: bytes,
    layout: maskLayout(segments),
  };
}

/** One line for each segment: its ring, the proof, and what rounding costs. */
export function describeEncoding(plan: EncodingPlan): string[] {
  return plan.segments.map(
    ({ segment, count, width, maxSum, capacity, roundingVariance }) =>
      `${segment.name}: ${count} ${segment.codec} in ${width} bits; sum <= ${maxSum} <= ${capacity} = 2^${width} - 1; rounding variance of a sum <= ${roundingVariance.toPrecision(3)}`,
  );
}

function planSegment(segment: Segment, clients: number): PlannedSegment {
  checkSegment(segment);
  const maxCode = segment.codec === "counts" ? segment.maximum : 2 ** segment.bits - 1;
  const maxSum = clients * maxCode;
  let width = MIN_WIDTH;
  while (2 ** width - 1 < maxSum) width++;
  if (width > MAX_WIDTH) {
    throw failure(
      "secagg/ring-overflow",
      `secagg: ${segment.name}: ${clients} values of up to ${maxCode} sum to ${maxSum}, which needs ${width} bits; ${MAX_WIDTH} is the most`,
      { detail: { segment: segment.name, neededBits: width, maximumBits: MAX_WIDTH } },
    );
  }
  const step = stepOf(segment, maxCode);
  return {
    segment,
    count: segment.count,
    width,
    step,
    maxCode,
    maxSum,
    capacity: 2 ** width - 1,
    roundingVariance: segment.codec === "counts" ? 0 : (clients * step ** 2) / 4,
  };
}

function stepOf(segment: Segment, maxCode: number): number {
  switch (segment.codec) {
    case "update":
    case "state":
      return (2 * segment.bound) / maxCode;
    case "counts":
      return 1;
    case "reals":
      return (segment.maximum - segment.minimum) / maxCode;
    default: {
      const never: never = segment;
      throw new TypeError(`planEncoding: no such segment ${String(never)}`);
    }
  }
}

function checkSegment(segment: Segment): void {
  const refuse = (expected: string, got: unknown): never => {
    throw new RangeError(`planEncoding: ${segment.name}: ${expected} expected, got ${String(got)}`);
  };
  if (!Number.isInteger(segment.count) || segment.count < 1) refuse("a count of at least 1", segment.count);
  if (segment.codec === "counts") {
    if (!Number.isInteger(segment.maximum) || segment.maximum < 1 || segment.maximum > 0xffff_ffff)
      refuse("a maximum from 1 to 2^32 - 1", segment.maximum);
    return;
  }
  if (!Number.isInteger(segment.bits) || segment.bits < 1 || segment.bits > 31)
    refuse("1 to 31 bits", segment.bits);
  if (segment.codec === "reals") {
    const { minimum, maximum } = segment;
    if (!Number.isFinite(maximum - minimum) || !(minimum < maximum))
      refuse("a finite range", `${minimum} to ${maximum}`);
    return;
  }
  if (!(segment.bound > 0) || !Number.isFinite(segment.bound)) refuse("a positive bound", segment.bound);
  if (segment.codec === "update") {
    const { rotationBlock } = segment;
    if (!Number.isInteger(rotationBlock) || rotationBlock < 0 || (rotationBlock & (rotationBlock - 1)) !== 0)
      refuse("a rotation block that is 0 or a power of two", rotationBlock);
  }
}
