import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { seededRandom } from "@tributary/core";
import {
  applyStep,
  EMPTY_STATE,
  fedAvg,
  MAX_UPDATE_EXAMPLES,
  meanUpdate,
  serverSgd,
} from "@tributary/aggregation";
import { parameterSet } from "@tributary/tensor";
import fc from "fast-check";
import { describe, expect, test } from "vitest";

const DATA = path.resolve(import.meta.dirname, "../../..", process.env["TRIBUTARY_DATA"] ?? "../shared/data");
const VECTORS = path.join(DATA, "fl-strategies/flower-aggregation-vectors.json");

const update = (length: number) =>
  fc.float32Array({
    minLength: length,
    maxLength: length,
    noNaN: true,
    noDefaultInfinity: true,
    min: -1e4,
    max: 1e4,
  });
const reports = fc.integer({ min: 1, max: 12 }).chain((length) =>
  fc.array(fc.record({ values: update(length), numExamples: fc.integer({ min: 1, max: 5000 }) }), {
    minLength: 1,
    maxLength: 8,
  }),
);

describe("federated averaging", () => {
  test("devices with 10 and 1,000 examples weigh 10 and 1,000", () => {
    const state = fedAvg.init(2);
    fedAvg.accumulate(state, new Float32Array([1, -1]), 10);
    fedAvg.accumulate(state, new Float32Array([0, 3]), 1000);
    expect([...fedAvg.mean(state)]).toEqual([10 / 1010, (-10 + 3000) / 1010]);
    expect(state).toMatchObject({ totalExamples: 1010, updates: 2 });
  });

  test("is the weighted mean, to float64", () => {
    fc.assert(
      fc.property(reports, (devices) => {
        const state = fedAvg.init(devices[0]!.values.length);
        for (const { values, numExamples } of devices) fedAvg.accumulate(state, values, numExamples);
        const total = devices.reduce((sum, { numExamples }) => sum + numExamples, 0);
        fedAvg.mean(state).forEach((got, i) => {
          const expected =
            devices.reduce((sum, { values, numExamples }) => sum + numExamples * values[i]!, 0) / total;
          expect(got).toBe(expected);
        });
      }),
    );
  });

  test("in chunks of any size and order it is the same to the last bit", () => {
    const random = seededRandom("chunks");
    const length = 10_007;
    const whole = fedAvg.init(length);
    const chunked = fedAvg.init(length);
    for (let device = 0; device < 5; device++) {
      const values = Float32Array.from({ length }, () => random.normal());
      const numExamples = 1 + random.integer(1000);
      fedAvg.accumulate(whole, values, numExamples);
      const cuts = [...new Set([0, ...Array.from({ length: 9 }, () => random.integer(length)), length])].sort(
        (a, b) => a - b,
      );
      const spans = cuts.slice(1).map((end, i) => [cuts[i]!, end] as const);
      for (const [begin, end] of random.shuffle(spans))
        fedAvg.accumulateChunk(chunked, begin, values.subarray(begin, end), numExamples);
      fedAvg.countUpdate(chunked, numExamples);
    }
    expect(chunked).toEqual(whole);
  });

  test("two halves of a cohort merge into the whole", () => {
    const [left, right, whole] = [fedAvg.init(3), fedAvg.init(3), fedAvg.init(3)];
    const a = new Float32Array([1, 2, 3]);
    const b = new Float32Array([4, -5, 6]);
    fedAvg.accumulate(left, a, 10);
    fedAvg.accumulate(right, b, 30);
    fedAvg.accumulate(whole, a, 10);
    fedAvg.accumulate(whole, b, 30);
    fedAvg.merge(left, right);
    expect(left).toEqual(whole);
  });

  test("a thousand equal updates have exactly that update as mean", () => {
    const values = new Float32Array([0.1, -1e-20, 3e30]);
    const state = fedAvg.init(3);
    for (let i = 0; i < 1000; i++) fedAvg.accumulate(state, values, 64);
    expect(Float32Array.from(fedAvg.mean(state))).toEqual(values);
  });

  test.each([0, -1, 1.5, NaN, Infinity, MAX_UPDATE_EXAMPLES + 1])(
    "a weight of %s is refused and changes nothing",
    (weight) => {
      const state = fedAvg.init(1);
      expect(() => fedAvg.accumulate(state, new Float32Array([1]), weight)).toThrow(RangeError);
      expect(state).toEqual(fedAvg.init(1));
    },
  );

  test("wrong lengths, places and an empty mean are refused", () => {
    const state = fedAvg.init([{ name: "w", shape: [2, 2] }]);
    expect(() => fedAvg.accumulate(state, new Float32Array(3), 1)).toThrow(RangeError);
    expect(() => fedAvg.accumulateChunk(state, 3, new Float32Array(2), 1)).toThrow(RangeError);
    expect(() => fedAvg.merge(state, fedAvg.init(3))).toThrow(RangeError);
    expect(() => fedAvg.mean(state)).toThrow(RangeError);
  });
});

describe("the server's step", () => {
  const schema = [{ name: "w", shape: [3] }];

  test("with learning rate 1 the next weights are float32(base + mean)", () => {
    const base = parameterSet(schema, new Float32Array([1, 1e8, -0.1]));
    const mean = meanUpdate(schema, new Float64Array([0.1, 1, 0.1]));
    const optimizer = serverSgd();
    const { step } = optimizer.update(mean, optimizer.init(base));
    expect([...applyStep(base, step).values]).toEqual([Math.fround(1 + Math.fround(0.1)), 1e8, 0]);
    expect([...base.values]).toEqual([1, 1e8, Math.fround(-0.1)]);
  });

  test("the learning rate scales it", () => {
    const optimizer = serverSgd({ learningRate: 0.5 });
    const { step } = optimizer.update(parameterSet(schema, new Float32Array([1, 2, 4])), EMPTY_STATE);
    expect([...step.values]).toEqual([0.5, 1, 2]);
    for (const learningRate of [0, -1, NaN, Infinity])
      expect(() => serverSgd({ learningRate })).toThrow(RangeError);
  });

  test("another schema is refused", () => {
    expect(() => applyStep(parameterSet(schema), parameterSet([{ name: "v", shape: [3] }]))).toThrow(
      expect.objectContaining({ code: "tensor/schema-mismatch" }),
    );
  });
});

type Nested = number | Nested[];
interface FlowerCase {
  id: string;
  server_learning_rate?: number;
  initial?: Nested[];
  clients: { num_examples: number; weights: Nested[] }[];
  expected: Nested[];
}

describe("Flower's own expectations", () => {
  test.for(["fedavg-weighted-1", "fedavgm-first-round"])("%s", (id, context) => {
    if (!existsSync(VECTORS)) context.skip(`${VECTORS} is absent: set TRIBUTARY_DATA`);
    const { cases } = JSON.parse(readFileSync(VECTORS, "utf8")) as { cases: FlowerCase[] };
    const vector = cases.find((candidate) => candidate.id === id)!;
    const numbers = (nested: Nested): number[] =>
      typeof nested === "number" ? [nested] : nested.flatMap(numbers);
    const flat = (nested: Nested[]): Float32Array<ArrayBuffer> => Float32Array.from(numbers(nested));
    const expected = flat(vector.expected);
    const schema = [{ name: "all", shape: [expected.length] }];
    const base = parameterSet(schema, vector.initial === undefined ? undefined : flat(vector.initial));
    const state = fedAvg.init(schema);
    for (const { weights, num_examples: numExamples } of vector.clients) {
      fedAvg.accumulate(
        state,
        flat(weights).map((value, i) => value - base.values[i]!),
        numExamples,
      );
    }
    const optimizer = serverSgd({ learningRate: vector.server_learning_rate ?? 1 });
    const { step } = optimizer.update(meanUpdate(schema, fedAvg.mean(state)), optimizer.init(base));
    applyStep(base, step).values.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 5));
  });
});
