import type { SeededRandom } from "@tributary/core";
import { SKELETONS } from "./skeletons.ts";

/** One person's hand: what stays the same from digit to digit. Lengths are in pixels unless said otherwise. */
export interface Writer {
  /** Which skeleton of each digit the writer uses, and a second one for some of the time. */
  readonly forms: readonly { readonly usual: number; readonly other: number; readonly otherShare: number }[];
  /** The writer's own bend of each skeleton's points, by digit and form: x, y pairs in the unit box. */
  readonly bends: ReadonlyMap<string, Float64Array>;
  /** Horizontal shift per height; positive leans right. */
  readonly slant: number;
  /** Sine of the rotation. */
  readonly turn: number;
  readonly height: number;
  /** Width relative to the skeleton's. */
  readonly stretch: number;
  readonly penRadius: number;
  readonly softness: number;
  /** Standard deviation of a point from sample to sample, in the unit box. */
  readonly unsteadiness: number;
  /** Darkest ink, 0 to 1. */
  readonly darkness: number;
  readonly offsetX: number;
  readonly offsetY: number;
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));

/** How far writers lie apart. */
const BETWEEN = Object.freeze({
  bend: 0.038,
  slant: 0.17,
  turn: 0.07,
  height: 1.6,
  stretch: 0.16,
  penRadius: 0.34,
  offset: 0.5,
});

export function createWriter(random: SeededRandom): Writer {
  const bends = new Map<string, Float64Array>();
  const forms = SKELETONS.map((skeletons, digit) => {
    skeletons.forEach(({ strokes }, form) => {
      const points = strokes.reduce((sum, stroke) => sum + stroke.length, 0);
      bends.set(`${digit}/${form}`, smoothBends(random, points));
    });
    const weights = skeletons.map(({ weight }) => weight);
    const usual = pickWeighted(random, weights);
    const other = pickWeighted(random, weights);
    return { usual, other, otherShare: 0.5 * random.next() };
  });
  return {
    forms,
    bends,
    slant: clamp(0.1 + BETWEEN.slant * random.normal(), -0.4, 0.65),
    turn: clamp(BETWEEN.turn * random.normal(), -0.22, 0.22),
    height: clamp(19 + BETWEEN.height * random.normal(), 15, 22.5),
    stretch: clamp(1 + BETWEEN.stretch * random.normal(), 0.65, 1.4),
    penRadius: clamp(1.05 + BETWEEN.penRadius * random.normal(), 0.5, 2),
    softness: 0.55 + 0.35 * random.next(),
    unsteadiness: 0.016 + 0.022 * random.next(),
    darkness: 0.86 + 0.14 * random.next(),
    offsetX: BETWEEN.offset * random.normal(),
    offsetY: BETWEEN.offset * random.normal(),
  };
}

/** x, y offsets of a skeleton's points; neighbours move alike, as a hand's habits do. */
function smoothBends(random: SeededRandom, points: number): Float64Array {
  const raw = Float64Array.from({ length: 2 * points + 4 }, () => BETWEEN.bend * random.normal());
  return Float64Array.from(
    { length: 2 * points },
    (_, i) => 0.55 * (raw[i]! + raw[i + 4]!) + 0.8 * raw[i + 2]!,
  );
}

/** An index with probability proportional to its weight. */
export function pickWeighted(random: SeededRandom, weights: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < weights.length; i++) total += weights[i]!;
  let left = random.next() * total;
  for (let i = 0; i < weights.length - 1; i++) {
    left -= weights[i]!;
    if (left < 0) return i;
  }
  return weights.length - 1;
}
