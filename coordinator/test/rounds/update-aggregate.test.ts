import { join } from "node:path";
import {
  aggregateRobustly,
  coordinateMedian,
  fedNova,
  ROW_VALUES,
  type Aggregation,
} from "@tributary/aggregation";
import { asDigest, asRoundId, asTaskName, sha256, TributaryError } from "@tributary/core";
import { createMetrics, trainingMetrics } from "@tributary/metrics";
import { encodeUpdate } from "@tributary/protocol";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { UpdateCounts, UpdateRules } from "@tributary/federation/aggregation";
import { createUpdateAggregate, type WeightedFile } from "../../src/rounds/update-aggregate.ts";
import { checkUpdate } from "../../src/rounds/update-check.ts";
import { CHUNK_BYTES, receiveUpdate, type UpdateFile } from "../../src/rounds/update-file.ts";
import { temporaryFolder } from "../temporary-folder.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => void (folder = await temporaryFolder()));
afterAll(() => folder.remove());

const round = { roundId: asRoundId("digits-1"), task: asTaskName("digits") };
const schemaDigest = asDigest("a".repeat(64));
let files = 0;

async function fileOf(values: Float32Array, numExamples: number): Promise<UpdateFile> {
  const metrics = [...createMetrics(trainingMetrics)];
  const body = encodeUpdate({ ...round, schemaDigest, numExamples, metrics }, values);
  const source = (async function* () {
    yield body;
  })();
  const facts = { digest: sha256(body), sizeBytes: body.length };
  return receiveUpdate(source, join(folder.path, `${files++}.update`), facts);
}

const AGGREGATIONS: readonly Aggregation[] = [
  { kind: "mean" },
  { kind: "normalised", norm: (numExamples) => Math.ceil(numExamples / 3) },
  { kind: "robust", rule: coordinateMedian() },
];

const root = new Float32Array(0);

interface Member {
  readonly numExamples: number;
  readonly phase: number;
}

async function expectMeans(sizes: UpdateCounts, members: readonly Member[]): Promise<void> {
  const { weightCount, statisticCount } = sizes;
  const examples = members.map(({ numExamples }) => numExamples);
  const totalExamples = examples.reduce((sum, count) => sum + count, 0);
  const updates = members.map(({ phase }) =>
    Float32Array.from({ length: weightCount + statisticCount }, (_, i) => Math.sin(i + phase)),
  );
  const statistics = Array.from(
    { length: statisticCount },
    (_, at) =>
      updates.reduce((sum, update, i) => sum + examples[i]! * update[weightCount + at]!, 0) / totalExamples,
  );
  for (const aggregation of AGGREGATIONS) {
    const aggregate = createUpdateAggregate(aggregation, sizes, async () => root);
    const weighted: WeightedFile[] = [];
    for (const [i, update] of updates.entries())
      weighted.push({ file: await fileOf(update, examples[i]!), numExamples: examples[i]! });
    await aggregate.add(weighted.slice(0, 1));
    await aggregate.add(weighted.slice(1));
    const mean = await aggregate.mean(new AbortController().signal);
    await aggregate.close();
    expect(mean).toMatchObject({ totalExamples, updates: members.length });
    expect(worst(mean.statistics, statistics)).toBeLessThan(1e-12);
    const weights = updates.map((update) => update.subarray(0, weightCount));
    expect(worst(mean.weights, expectedWeights(aggregation, weights, examples))).toBeLessThan(1e-9);
  }
}

/** Largest difference; NaN where the lengths differ. */
function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.NaN;
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs(a[i]! - b[i]!));
  return most;
}

test("whatever becomes of the weights, statistics are their mean by examples", async () => {
  const member = fc.record({
    numExamples: fc.integer({ min: 1, max: 40 }),
    phase: fc.double({ min: 0, max: 6, noNaN: true }),
  });
  const counts = fc.record({
    weightCount: fc.integer({ min: 1, max: 20 }),
    statisticCount: fc.integer({ min: 0, max: 9 }),
  });
  const members = fc.array(member, { minLength: 1, maxLength: 4 });
  await fc.assert(fc.asyncProperty(counts, members, expectMeans), { numRuns: 20, seed: 5 });
});

test.each([-3, 0, 5])("also where they begin %d values after a piece of the updates", async (shift) => {
  const members = [
    { numExamples: 3, phase: 1 },
    { numExamples: 1, phase: 2 },
  ];
  await expectMeans({ weightCount: ROW_VALUES + shift, statisticCount: 9 }, members);
});

function expectedWeights(
  aggregation: Aggregation,
  weights: readonly Float32Array[],
  examples: readonly number[],
): ArrayLike<number> {
  if (aggregation.kind === "robust") return aggregateRobustly(aggregation.rule, weights);
  if (aggregation.kind === "normalised") {
    const state = fedNova.init(weights[0]!.length);
    for (const [i, update] of weights.entries()) {
      const share = { numExamples: examples[i]!, norm: aggregation.norm(examples[i]!) };
      fedNova.accumulateChunk(state, 0, update, share);
      fedNova.countUpdate(state, share);
    }
    return fedNova.mean(state);
  }
  const total = examples.reduce((a, b) => a + b, 0);
  return Array.from(weights[0]!, (_, at) =>
    weights.reduce((sum, update, i) => sum + (examples[i]! * update[at]!) / total, 0),
  );
}

test("the norm is that of the weights, and statistics have a bound of their own", async () => {
  const rules: UpdateRules = {
    ...round,
    schemaDigest,
    weightCount: 2,
    statisticCount: 2,
    maxUpdateNorm: 5,
    maxStatisticChange: 50,
    maxExamples: 10,
  };
  const check = async (values: readonly number[]) => {
    const file = await fileOf(Float32Array.from(values), 4);
    try {
      return await checkUpdate(file, new Uint8Array(CHUNK_BYTES), rules, 4);
    } finally {
      await file.remove();
    }
  };
  expect((await check([3, 4, -50, 50])).norm).toBe(5);
  const refusals = [
    [[3, 5, 0, 0], "update/norm-too-large"],
    [[0, 0, 0, -51], "update/statistic-out-of-range"],
    [[0, 0, Number.NaN, 1], "update/not-finite"],
    [[0, 0, 1, Infinity], "update/not-finite"],
    [[1, 2, 3], "update/wrong-shape"],
  ] as const;
  for (const [values, code] of refusals) {
    const error: unknown = await check(values).catch((caught: unknown) => caught);
    expect(TributaryError.is(error) && error.code).toBe(code);
  }
});
