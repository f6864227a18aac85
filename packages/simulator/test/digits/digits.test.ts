import { sha256 } from "@tributary/core";
import {
  digitsOfManyWriters,
  generateDigits,
  heldOutDigits,
  IMAGE_PIXELS,
  labelDistribution,
  writerShard,
} from "@tributary/simulator";
import { describe, expect, test } from "vitest";

const image = (images: Uint8Array, index: number): Uint8Array =>
  images.subarray(index * IMAGE_PIXELS, (index + 1) * IMAGE_PIXELS);

describe("a seed", () => {
  test("gives these bytes on every platform, for good", () => {
    const { images, labels } = generateDigits({ seed: "golden", writer: 3, count: 40 });
    expect(sha256(images)).toBe("7fc933b48addcece35df05ec133f1a0f54b097414ddb6f07fab3755b19e70364");
    expect(sha256(labels)).toBe("e1e03ba37d861b506bd9b4a3262482c9f4b7f568350ca6d6bac8ae78cd65d0a1");
  });

  test("a longer run begins with the shorter one", () => {
    const short = generateDigits({ seed: 1, writer: 0, count: 5 });
    const long = generateDigits({ seed: 1, writer: 0, count: 9 });
    expect(long.images.subarray(0, short.images.length)).toEqual(short.images);
    expect(long.labels.subarray(0, 5)).toEqual(short.labels);
  });

  test("seeds, writers and splits have hands of their own", () => {
    const labels = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
    const hands = [
      generateDigits({ seed: 1, writer: 0, count: 10, labels }),
      generateDigits({ seed: 2, writer: 0, count: 10, labels }),
      generateDigits({ seed: 1, writer: 1, count: 10, labels }),
      generateDigits({ seed: 1, writer: 0, count: 10, labels, split: "held-out" }),
    ];
    expect(new Set(hands.map(({ images }) => sha256(images))).size).toBe(4);
  });
});

describe("an image", () => {
  const { images, labels } = digitsOfManyWriters({ seed: "look", count: 4000 });

  test("has ink in the middle and paper at the rim, about as much as MNIST", () => {
    let ink = 0;
    let rim = 0;
    for (let i = 0; i < labels.length; i++) {
      const pixels = image(images, i);
      let own = 0;
      for (let p = 0; p < IMAGE_PIXELS; p++) {
        own += pixels[p]!;
        const [x, y] = [p % 28, Math.floor(p / 28)];
        if (x === 0 || y === 0 || x === 27 || y === 27) rim += pixels[p]!;
      }
      expect(own).toBeGreaterThan(255 * 8);
      ink += own;
    }
    // MNIST's mean is 0.1307.
    expect(ink / images.length / 255).toBeGreaterThan(0.07);
    expect(ink / images.length / 255).toBeLessThan(0.18);
    expect(rim / ink).toBeLessThan(0.02);
  });

  test("is never quite another one", () => {
    const seen = new Set<string>();
    for (let i = 0; i < 1000; i++) seen.add(sha256(image(images, i)));
    expect(seen.size).toBe(1000);
  });

  test("every digit occurs about equally often", () => {
    const counts = Array.from({ length: 10 }, () => 0);
    for (const label of labels) counts[label]!++;
    for (const count of counts) expect(Math.abs(count - 400)).toBeLessThan(100);
  });

  test("one writer's digits are closer to each other than to another writer's", () => {
    const sevens = [0, 1, 2, 3, 4, 5, 6, 7].map(
      (writer) => generateDigits({ seed: "hands", writer, count: 6, labels: [7, 7, 7, 7, 7, 7] }).images,
    );
    const distance = (a: Uint8Array, b: Uint8Array): number =>
      Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0));
    let [own, ownPairs, other, otherPairs] = [0, 0, 0, 0];
    sevens.forEach((left, w) => {
      sevens.forEach((right, v) => {
        for (let i = 0; i < 6; i++) {
          for (let j = 0; j < i; j++) {
            if (w === v) [own, ownPairs] = [own + distance(image(left, i), image(right, j)), ownPairs + 1];
            else [other, otherPairs] = [other + distance(image(left, i), image(right, j)), otherPairs + 1];
          }
        }
      });
    });
    expect(own / ownPairs).toBeLessThan(0.95 * (other / otherPairs));
  });
});

describe("a device's shard", () => {
  test("has the labels of its own distribution", () => {
    const { labels } = writerShard({ seed: 1, writer: 5, count: 4000, alpha: 0.5 });
    const distribution = labelDistribution({ seed: 1, writer: 5, alpha: 0.5 });
    expect(distribution.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
    distribution.forEach((share, label) => {
      expect(Math.abs(labels.filter((own) => own === label).length / 4000 - share)).toBeLessThan(0.04);
    });
  });

  test("small alpha leaves few digits per device, large alpha all", () => {
    const largestShare = (alpha: number): number => {
      let sum = 0;
      for (let writer = 0; writer < 200; writer++)
        sum += Math.max(...labelDistribution({ seed: 9, writer, alpha }));
      return sum / 200;
    };
    expect(largestShare(0.5)).toBeGreaterThan(0.3);
    expect(largestShare(100)).toBeLessThan(0.15);
    // Together the devices hold every digit alike: the mean of Dirichlet draws is uniform.
    const mean = Array.from({ length: 10 }, () => 0);
    for (let writer = 0; writer < 400; writer++) {
      labelDistribution({ seed: 9, writer }).forEach((share, label) => (mean[label]! += share / 400));
    }
    for (const share of mean) expect(Math.abs(share - 0.1)).toBeLessThan(0.03);
  });

  test("sizes can differ from device to device", () => {
    const sizes = Array.from(
      { length: 50 },
      (_, writer) => writerShard({ seed: 1, writer, count: { min: 10, max: 60 } }).labels.length,
    );
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(10);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(60);
    expect(new Set(sizes).size).toBeGreaterThan(15);
  });

  test("held-out digits come from people no device knows", () => {
    const heldOut = heldOutDigits({ seed: 1, count: 20 });
    const first = generateDigits({ seed: 1, writer: 0, count: 20, labels: heldOut.labels });
    expect(heldOut.images).not.toEqual(first.images);
  });
});

test.each([
  ["a negative writer", () => generateDigits({ seed: 1, writer: -1, count: 1 })],
  ["a fractional count", () => generateDigits({ seed: 1, writer: 0, count: 0.5 })],
  ["too few labels", () => generateDigits({ seed: 1, writer: 0, count: 2, labels: [1] })],
  ["a label of ten", () => generateDigits({ seed: 1, writer: 0, count: 1, labels: [10] })],
  [
    "nine weights",
    () => generateDigits({ seed: 1, writer: 0, count: 1, distribution: [1, 1, 1, 1, 1, 1, 1, 1, 1] }),
  ],
  ["alpha 0.3", () => labelDistribution({ seed: 1, writer: 0, alpha: 0.3 })],
])("%s is the caller's mistake", (_name, run) => {
  expect(run).toThrow(RangeError);
});
