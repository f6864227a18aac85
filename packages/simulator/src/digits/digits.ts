import { seededRandom, type SeededRandom } from "@tributary/core";
import { drawDigit } from "./draw-digit.ts";
import { IMAGE_PIXELS } from "./pen.ts";
import { createWriter, pickWeighted } from "./writer.ts";

/** Labelled images of 28 x 28 pixels, one byte each: 0 paper to 255 ink, row-major, as in MNIST. */
export interface Digits {
  /** count * 784 bytes. */
  readonly images: Uint8Array<ArrayBuffer>;
  /** count bytes, 0 to 9. */
  readonly labels: Uint8Array<ArrayBuffer>;
}

/** Writers of one split never occur in the other. */
export type DigitSplit = "train" | "held-out";

export interface GenerateDigitsOptions {
  readonly seed: string | number;
  /** Which hand: the same number in the same split and seed is the same person. */
  readonly writer: number;
  readonly count: number;
  /** @defaultValue "train" */
  readonly split?: DigitSplit;
  /** The labels to write, `count` of them; otherwise drawn from `distribution`. */
  readonly labels?: ArrayLike<number>;
  /** Ten weights; uniform by default. */
  readonly distribution?: ArrayLike<number>;
}

const UNIFORM = Object.freeze(Array.from({ length: 10 }, () => 1));

function requireCount(what: string, count: number): void {
  if (!Number.isInteger(count) || count < 0 || count > 10_000_000) {
    throw new RangeError(`${what}: an integer from 0 to 10,000,000 expected, got ${count}`);
  }
}

function writerRandom(seed: string | number, split: DigitSplit, writer: number): SeededRandom {
  if (!Number.isInteger(writer) || writer < 0)
    throw new RangeError(`digits: writer must be an integer of at least 0, got ${writer}`);
  return seededRandom(seed).fork(`digits/${split}/${writer}`);
}

/**
 * Digits in one person's hand. The same options give the same bytes on every platform, and a longer run begins
 * with the shorter one.
 */
export function generateDigits(options: GenerateDigitsOptions): Digits {
  const { seed, writer, count, split = "train", labels, distribution = UNIFORM } = options;
  requireCount("generateDigits: count", count);
  if (labels !== undefined && labels.length !== count) {
    throw new RangeError(`generateDigits: ${count} labels expected, got ${labels.length}`);
  }
  if (distribution.length !== 10)
    throw new RangeError(`generateDigits: ten weights expected, got ${distribution.length}`);
  const random = writerRandom(seed, split, writer);
  const hand = createWriter(random.fork("hand"));
  const labelRandom = random.fork("labels");
  const inkRandom = random.fork("ink");
  const digits: Digits = { images: new Uint8Array(count * IMAGE_PIXELS), labels: new Uint8Array(count) };
  for (let i = 0; i < count; i++) {
    const label = labels === undefined ? pickWeighted(labelRandom, distribution) : labels[i]!;
    if (!Number.isInteger(label) || label < 0 || label > 9)
      throw new RangeError(`generateDigits: label ${i} is ${label}, 0 to 9 expected`);
    digits.labels[i] = label;
    drawDigit(inkRandom, hand, label, digits.images.subarray(i * IMAGE_PIXELS, (i + 1) * IMAGE_PIXELS));
  }
  return digits;
}

/**
 * How one device's labels are distributed: a draw from Dirichlet(alpha, ..., alpha) over the ten digits
 * (Hsu et al. 2019, https://arxiv.org/abs/1909.06335). Small alpha: few digits per device.
 * @param options.alpha a positive multiple of 0.5, default 0.5
 */
export function labelDistribution(options: {
  seed: string | number;
  writer: number;
  alpha?: number;
}): Float64Array<ArrayBuffer> {
  const { seed, writer, alpha = 0.5 } = options;
  if (!(alpha > 0 && alpha <= 1000) || !Number.isInteger(2 * alpha)) {
    throw new RangeError(`labelDistribution: alpha must be a multiple of 0.5 up to 1000, got ${alpha}`);
  }
  const random = writerRandom(seed, "train", writer).fork("distribution");
  // Half the sum of 2 * alpha squared normals is Gamma(alpha); ten of them, normalized, are the Dirichlet draw.
  const weights = Float64Array.from({ length: 10 }, () => {
    let gamma = 0;
    for (let k = 0; k < 2 * alpha; k++) gamma += random.normal() ** 2;
    return gamma;
  });
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

export interface WriterShardOptions {
  readonly seed: string | number;
  readonly writer: number;
  /** Number of examples, or a range from which each device draws its own. */
  readonly count: number | { readonly min: number; readonly max: number };
  /** See `labelDistribution`. */
  readonly alpha?: number;
}

/** The local data of one device: one writer's hand, and a label distribution of its own (non-IID). */
export function writerShard(options: WriterShardOptions): Digits {
  const { seed, writer, count: wanted, alpha = 0.5 } = options;
  let count: number;
  if (typeof wanted === "number") count = wanted;
  else {
    requireCount("writerShard: count.min", wanted.min);
    count =
      wanted.min +
      writerRandom(seed, "train", writer)
        .fork("count")
        .integer(wanted.max - wanted.min + 1);
  }
  return generateDigits({ seed, writer, count, distribution: labelDistribution({ seed, writer, alpha }) });
}

/** Digits of `count / perWriter` writers one after the other, labels uniform: a central training or test set. */
export function digitsOfManyWriters(options: {
  seed: string | number;
  count: number;
  split?: DigitSplit;
  perWriter?: number;
}): Digits {
  const { seed, count, split = "train", perWriter = 20 } = options;
  requireCount("digits: count", count);
  if (!Number.isInteger(perWriter) || perWriter < 1)
    throw new RangeError(`digits: perWriter must be an integer of at least 1, got ${perWriter}`);
  const all: Digits = { images: new Uint8Array(count * IMAGE_PIXELS), labels: new Uint8Array(count) };
  for (let writer = 0, at = 0; at < count; writer++, at += perWriter) {
    const part = generateDigits({ seed, writer, split, count: Math.min(perWriter, count - at) });
    all.images.set(part.images, at * IMAGE_PIXELS);
    all.labels.set(part.labels, at);
  }
  return all;
}

/** Digits by people that no device knows: what a version is judged by. */
export function heldOutDigits(options: { seed: string | number; count: number }): Digits {
  return digitsOfManyWriters({ ...options, split: "held-out" });
}
