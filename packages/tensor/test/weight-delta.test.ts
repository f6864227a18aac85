import { seededRandom, TributaryError } from "@tributary/core";
import {
  applyDelta,
  patchFile,
  applyQuantizedStep,
  encodeDelta,
  parameterSet,
  parametersToSafetensors,
  quantizeStep,
  safetensorsRegions,
  stepChannels,
  tensor,
  writeSafetensors,
  type DeltaRegion,
  type ParameterSchema,
  type ParameterSet,
} from "@tributary/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const bytesOf = (values: ArrayBufferView): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
const codeOf = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return TributaryError.is(error) ? error.code : String(error);
  }
};

/** Two files of the same length, of which the second is the first with some bytes changed a little or much. */
const pair = fc
  .record({
    base: fc.uint8Array({ maxLength: 400 }),
    changes: fc.array(
      fc.tuple(fc.nat(399), fc.oneof(fc.integer({ min: -2, max: 2 }), fc.integer({ min: -128, max: 127 }))),
    ),
  })
  .map(({ base, changes }) => {
    const next = base.slice();
    for (const [at, change] of changes) if (at < next.length) next[at]! += change;
    return { base, next };
  });

/** Regions in order, with gaps, of whole elements. */
const regionsOf = (length: number): fc.Arbitrary<readonly DeltaRegion[]> =>
  fc.array(fc.tuple(fc.constantFrom(1, 2, 4), fc.nat(7), fc.nat(40)), { maxLength: 8 }).map((parts) => {
    const regions: DeltaRegion[] = [];
    let at = 0;
    for (const [elementBytes, gap, elements] of parts) {
      const begin = at + gap;
      const end = begin + elements * elementBytes;
      if (end > length) break;
      regions.push({ begin, end, elementBytes: elementBytes as 1 | 2 | 4 });
      at = end;
    }
    return regions;
  });

describe("a delta", () => {
  test("makes the one file of the other, whatever the regions", () => {
    fc.assert(
      fc.property(
        pair.chain(({ base, next }) => regionsOf(base.length).map((regions) => ({ base, next, regions }))),
        ({ base, next, regions }) => {
          const delta = encodeDelta(base, next, regions)!;
          expect(applyDelta(base, delta)).toEqual(next);
          expect(encodeDelta(base, next, regions)).toEqual(delta);
          expect(delta.length).toBeLessThanOrEqual(next.length + 10 * (2 * regions.length + 1) + 12);
        },
      ),
    );
  });

  test.each([
    { moves: "hardly ever", share: 0.03, reach: 1 },
    { moves: "by a little", share: 0.6, reach: 2 },
    { moves: "by more", share: 0.9, reach: 7 },
    { moves: "anywhere", share: 1, reach: 127 },
  ])("of a plane that is decoded in pieces, whose values move $moves", ({ share, reach }) => {
    const random = seededRandom(`pieces ${reach}`);
    // Neither begins nor ends where a word or a group does.
    const [begin, end] = [3, 3 + 4 * 3 * 12 * 1024 + 5];
    const base = Uint8Array.from({ length: end + 2 }, () => Math.floor(random.next() * 256));
    const step = (): number => {
      // Some moves are larger than the rest, which few symbols stand for.
      const most = random.next() < 0.001 ? 100 : reach;
      return random.next() < share ? Math.round((2 * random.next() - 1) * most) : 0;
    };
    const next = base.map((value, i) => (i >= begin && i < end ? value + step() : value));
    const delta = encodeDelta(base, next, [{ begin, end, elementBytes: 1 }])!;
    const file = base.slice();
    patchFile(file, delta);
    expect(Buffer.compare(file, next)).toBe(0);
    expect(Buffer.compare(applyDelta(base, delta), next)).toBe(0);
  });

  test("golden: its bytes", () => {
    const base = Uint8Array.of(10, 20, 30, 40, 50, 60, 70, 80);
    const next = Uint8Array.of(10, 20, 30, 40, 50, 61, 70, 90);
    const regions: DeltaRegion[] = [{ begin: 0, end: 4, elementBytes: 4 }];
    const header = [0x54, 0x52, 0x57, 0x44, 1, 8, 0, 0, 0, 2];
    const [same, replaced] = [
      [4, 0],
      [4, 2, 50, 61, 70, 90],
    ];
    expect(Array.from(encodeDelta(base, next, regions)!)).toEqual([...header, ...same, ...replaced]);
  });

  test.each([
    [
      "int8 that rarely moves",
      (random: () => number) => (random() < 0.1 ? Math.sign(random() - 0.5) : 0),
      0.12,
    ],
    ["int8 that often moves", (random: () => number) => Math.round((random() + random() - 1) * 4), 0.36],
    ["int8 that does not move", () => 0, 0.001],
  ] as const)("of %s comes close to its entropy", (_, change, share) => {
    const random = seededRandom("delta");
    const base = randomBytes(random, 100_000);
    const moved = base.map((value) => value + change(() => random.next()));
    const delta = encodeDelta(base, moved, [])!;
    expect(applyDelta(base, delta)).toEqual(moved);
    const bits = entropy(moved.map((value, i) => value - base[i]!));
    expect(delta.length).toBeLessThan(share * base.length);
    expect(8 * delta.length).toBeLessThan(1.02 * bits * base.length + 8 * 200);
  });

  test("of what is the same takes a few bytes, however many tensors there are", () => {
    const file = writeSafetensors(
      Array.from({ length: 50 }, (_, i) => [`t${i}`, tensor("float32", [64], new Float32Array(64).fill(i))]),
    );
    expect(encodeDelta(file, file, safetensorsRegions(file))!.length).toBeLessThan(20);
  });

  test("of float16 takes differences of whole numbers", () => {
    const random = seededRandom("half");
    const before = new Uint16Array(randomBytes(random, 20_000).buffer);
    const after = before.map((bits) => bits + random.integer(5) - 2);
    const regions: DeltaRegion[] = [{ begin: 0, end: 20_000, elementBytes: 2 }];
    const delta = encodeDelta(bytesOf(before), bytesOf(after), regions)!;
    expect(applyDelta(bytesOf(before), delta)).toEqual(bytesOf(after));
    // Five values are 2.3 bits of 16.
    expect(delta.length).toBeLessThan(0.16 * 20_000);
  });

  test("there is none between files of different lengths", () => {
    expect(encodeDelta(new Uint8Array(3), new Uint8Array(4), [])).toBeUndefined();
  });
});

describe("from outside", () => {
  const random = seededRandom("hostile");
  const base = randomBytes(random, 600);
  const next = base.map((value, i) => (i % 7 === 0 ? value + 1 : i % 50 === 0 ? value + 90 : value));
  const delta = encodeDelta(base, next, [{ begin: 0, end: 200, elementBytes: 2 }])!;

  test("every beginning of a delta is refused", () => {
    for (let length = 0; length < delta.length; length++)
      expect(codeOf(() => applyDelta(base, delta.subarray(0, length)))).toBe("tensor/invalid-delta");
    expect(codeOf(() => applyDelta(base, Uint8Array.of(...delta, 0)))).toBe("tensor/invalid-delta");
  });

  test("any bytes are refused, or make a file of the base's length", () => {
    const mutated = fc
      .array(fc.tuple(fc.nat(delta.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const bytes = delta.slice();
        for (const [at, value] of changes) bytes[at] = value;
        return bytes;
      });
    const header = fc
      .uint8Array({ maxLength: 120 })
      .map((rest) => Uint8Array.of(...delta.subarray(0, 9), ...rest));
    fc.assert(
      fc.property(fc.oneof(mutated, header, fc.uint8Array({ maxLength: 60 })), (bytes) => {
        const before = base.slice();
        let length = base.length;
        const code = codeOf(() => (length = applyDelta(base, bytes).length));
        expect([undefined, "tensor/invalid-delta"]).toContain(code);
        expect(length).toBe(base.length);
        expect(base).toEqual(before);
      }),
      { numRuns: 400 },
    );
  });

  test("of another version, and for a file of another length", () => {
    const later = delta.slice();
    later[4] = 2;
    expect(() => applyDelta(base, later)).toThrow(/version 2/);
    expect(() => applyDelta(base.subarray(1), delta)).toThrow(/600 bytes/);
  });
});

const SCHEMA: ParameterSchema = [
  { name: "conv", shape: [4, 2, 3, 3] },
  { name: "bias", shape: [4] },
  { name: "mean", shape: [4] },
  { name: "frozen", shape: [300] },
  { name: "narrow", shape: [40, 3] },
];

describe("a quantized step", () => {
  const finite = fc.float({ noNaN: true, min: Math.fround(-1e3), max: Math.fround(1e3) });

  test.each(["int8", "int4"] as const)("%s leaves at most half a scale of every value", (precision) => {
    fc.assert(
      fc.property(fc.array(finite, { minLength: 60, maxLength: 60 }), (given) => {
        const step = Float32Array.from(given);
        const { scales, values } = quantizeStep(step, [3, 20], precision);
        expect(scales).toHaveLength(3);
        for (const [i, value] of step.entries()) {
          const scale = scales[Math.floor(i / 20)]!;
          expect(Math.abs(values[i]!)).toBeLessThanOrEqual(precision === "int8" ? 127 : 7);
          expect(Math.abs(value - scale * values[i]!)).toBeLessThanOrEqual(scale * 0.5 + 2 ** -100);
        }
      }),
    );
  });

  test("a step too small to be told, and one of nothing, are zero", () => {
    expect(quantizeStep(Float32Array.of(1e-38, 0), [2], "int8")).toEqual({
      scales: new Float32Array(1),
      values: new Int8Array(2),
    });
    expect(quantizeStep(new Float32Array(0), [0, 4], "int8").values).toHaveLength(0);
  });

  test("channels are rows of the first axis, where these are long enough", () => {
    expect(SCHEMA.map(({ shape }) => stepChannels(shape))).toEqual([4, 1, 1, 1, 1]);
  });

  test("as a delta makes the exact weights, bit for bit, and costs what moved", () => {
    const random = seededRandom("step");
    const weights = (): ParameterSet => parameterSet(SCHEMA, noise(random, 2, 500));
    const base = weights();
    const next = parameterSet(SCHEMA, base.values.slice());
    const steps = new Map<string, ReturnType<typeof quantizeStep>>();
    let at = 0;
    for (const { name, shape } of SCHEMA) {
      const length = shape.reduce((a, b) => a * b);
      if (name !== "frozen") {
        const step = quantizeStep(noise(random, 0.01, length), shape, "int8");
        steps.set(name, step);
        applyQuantizedStep(next.values.subarray(at, at + length), step);
      }
      // A running statistic, which no step explains.
      if (name === "mean") next.values.set(noise(random, 1, length), at);
      at += length;
    }
    const [before, after] = [parametersToSafetensors(base), parametersToSafetensors(next)];
    const delta = encodeDelta(before, after, safetensorsRegions(after, steps))!;
    expect(applyDelta(before, delta)).toEqual(after);
    const moved = SCHEMA.filter(({ name }) => name !== "frozen").reduce(
      (sum, { shape }) => sum + shape.reduce((a, b) => a * b),
      0,
    );
    expect(delta.length).toBeLessThan(1.5 * moved + 300);
  });
});

function noise(
  random: ReturnType<typeof seededRandom>,
  size: number,
  length: number,
): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length }, () => size * (2 * random.next() - 1));
}

function randomBytes(random: ReturnType<typeof seededRandom>, length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, () => random.integer(256));
}

/** Of order 0, in bits a value. */
function entropy(values: Uint8Array): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts.values()].reduce(
    (bits, count) => bits - (count / values.length) * Math.log2(count / values.length),
    0,
  );
}
