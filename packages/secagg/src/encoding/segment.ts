import { f64, list, struct, taggedUnion, text, u16, u32, u8, type Codec } from "@tributary/core";

/** A weighted update, (w / maxWeight) x values: clipped by the caller, rotated and clamped here. */
export interface UpdateSegment {
  readonly codec: "update";
  readonly name: string;
  readonly count: number;
  /** Bits of one value, q. */
  readonly bits: number;
  /** Largest magnitude of one coordinate, after rotation. Beyond it values are clamped, and the share is reported. */
  readonly bound: number;
  /** Largest block of the randomized Hadamard rotation, a power of two; 0 rotates nothing. */
  readonly rotationBlock: number;
}

/** Weighted statistics such as those of batch normalization: as an update, never rotated, with a bound of their own. */
export interface StateSegment {
  readonly codec: "state";
  readonly name: string;
  readonly count: number;
  readonly bits: number;
  readonly bound: number;
}

/** Exact unsigned integers: the weight, numExamples, histogram bins. Never clamped. */
export interface CountsSegment {
  readonly codec: "counts";
  readonly name: string;
  readonly count: number;
  /** The largest value of one member. */
  readonly maximum: number;
}

/** Sums of real numbers, such as the loss, in fixed point over a declared range. Never clamped. */
export interface RealsSegment {
  readonly codec: "reals";
  readonly name: string;
  readonly count: number;
  readonly bits: number;
  readonly minimum: number;
  readonly maximum: number;
}

export type Segment = UpdateSegment | StateSegment | CountsSegment | RealsSegment;

/** What a vector holds and how; part of the signed plan. */
export interface EncodingSpec {
  /** The most members a cohort may have. */
  readonly clients: number;
  /** The largest weight of one member. */
  readonly maxWeight: number;
  /** Public; the rotation's signs come from it. */
  readonly rotationSeed: string;
  readonly segments: readonly Segment[];
}

const name = text({ max: 64 });

const segment = taggedUnion("codec", {
  update: [1, struct({ name, count: u32, bits: u8, bound: f64, rotationBlock: u32 })],
  state: [2, struct({ name, count: u32, bits: u8, bound: f64 })],
  counts: [3, struct({ name, count: u32, maximum: u32 })],
  reals: [4, struct({ name, count: u32, bits: u8, minimum: f64, maximum: f64 })],
});

/** Deterministic bytes: the session id binds their digest. */
export const EncodingSpec: Codec<EncodingSpec> = struct({
  clients: u16,
  maxWeight: f64,
  rotationSeed: name,
  segments: list(segment, { max: 255 }),
});
