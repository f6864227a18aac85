import { seededRandom, type SeededRandom } from "@tributary/core";
import { labelDistribution, writerShard } from "../digits/digits.ts";

/** Labelled images, one byte a pixel. */
export interface LabelledImages {
  /** count * pixels bytes; a model sees value / 255. */
  readonly images: Uint8Array;
  /** count bytes. */
  readonly labels: Uint8Array;
}

/** "digits": each device is a writer of the built-in generator. Otherwise the images are dealt out to the devices. */
export type FleetDataset = "digits" | LabelledImages;

export interface ShardOptions {
  readonly dataset: FleetDataset;
  readonly devices: number;
  readonly seed: string | number;
  /** Examples a device gets: a range to draw from. */
  readonly examples: { readonly min: number; readonly max: number };
  /** Dirichlet parameter of each device's labels; small means few labels each. */
  readonly alpha: number;
}

/** What one device learns from; the same options give the same shard. `device` counts from 0. */
export function shardOf(options: ShardOptions, device: number): LabelledImages {
  const { dataset, seed, examples, alpha } = options;
  if (dataset === "digits") return writerShard({ seed, writer: device, count: examples, alpha });
  return dealt({ ...options, dataset })[device]!;
}

/** The shards of all devices, each image dealt at most once. */
export function dealt(options: ShardOptions & { readonly dataset: LabelledImages }): LabelledImages[] {
  const { dataset, devices, seed, examples, alpha } = options;
  const { images, labels } = dataset;
  const pixels = labels.length === 0 ? 0 : images.length / labels.length;
  if (!Number.isInteger(pixels)) {
    throw new RangeError(`fleet: ${images.length} bytes of images do not divide by ${labels.length} labels`);
  }
  const random = seededRandom(seed).fork("fleet/deal");
  const piles = pilesByLabel(labels, random);
  const fairShare = Math.floor(labels.length / devices);
  return Array.from({ length: devices }, (_, device) => {
    const own = random.fork(`device/${device}`);
    const wanted = examples.min + own.integer(examples.max - examples.min + 1);
    const distribution = labelDistribution({ seed, writer: device, alpha });
    const chosen = drawFrom(piles, distribution, Math.min(wanted, fairShare), own);
    const shard = { images: new Uint8Array(chosen.length * pixels), labels: new Uint8Array(chosen.length) };
    chosen.forEach((index, i) => {
      shard.images.set(images.subarray(index * pixels, (index + 1) * pixels), i * pixels);
      shard.labels[i] = labels[index]!;
    });
    return shard;
  });
}

function pilesByLabel(labels: Uint8Array, random: SeededRandom): Map<number, number[]> {
  const piles = new Map<number, number[]>();
  labels.forEach((label, index) => {
    const pile = piles.get(label);
    if (pile === undefined) piles.set(label, [index]);
    else pile.push(index);
  });
  for (const pile of piles.values()) random.shuffle(pile);
  return piles;
}

/** Takes images label by label as the device's distribution says, from any pile where its own are used up. */
function drawFrom(
  piles: ReadonlyMap<number, number[]>,
  distribution: ArrayLike<number>,
  count: number,
  random: SeededRandom,
): number[] {
  const chosen: number[] = [];
  const labels = [...piles.keys()].toSorted((a, b) => a - b);
  while (chosen.length < count) {
    const left = labels.filter((label) => piles.get(label)!.length > 0);
    if (left.length === 0) break;
    const weights = left.map((label) => (distribution[label % distribution.length] ?? 0) + 1e-6);
    let point = random.next() * weights.reduce((sum, weight) => sum + weight, 0);
    let at = 0;
    while (at < left.length - 1 && point >= weights[at]!) point -= weights[at++]!;
    chosen.push(piles.get(left[at]!)!.pop()!);
  }
  return chosen;
}
