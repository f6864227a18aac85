import { buildLinear } from "@tributary/onnx";
import { parseTaskSpec } from "@tributary/protocol";
import { expect, test } from "vitest";
import {
  clientDataOf,
  digitsClientData,
  heldOutDigitsTable,
  parsePartition,
  simulate,
  type SimulateOptions,
  type SimulationResult,
} from "../../src/index.ts";

const model = buildLinear({ seed: "simulated" });
const heldOut = heldOutDigitsTable("held-out", 200);

/** Softmax regression among writers of the built-in digits. */
function run(options: {
  readonly secure?: boolean;
  readonly task?: object;
  readonly clients?: number;
  readonly more?: Partial<SimulateOptions>;
}): Promise<SimulationResult> {
  const { secure = false, task = {}, clients = 50, more = {} } = options;
  return simulate({
    spec: parseTaskSpec({
      name: "digits",
      model: "digits",
      local: { learningRate: 0.1 },
      cohort: { goalCount: 6, minimumCount: 3, overSelection: 1.5, trainDeadlineMs: 60_000 },
      secureAggregation: secure ? { mode: "on", minimumCohort: 3 } : { mode: "off" },
      ...task,
    }),
    model,
    data: digitsClientData({
      spec: { kind: "dirichlet", alpha: 0.5 },
      clients,
      seed: "writers",
      examplesPerClient: 20,
    }),
    heldOut,
    seed: "7",
    rounds: 3,
    threads: 1,
    ...more,
  });
}

test("rounds among a million clients learn, and come out the same, to the bit, on any number of threads", async () => {
  const fleet = { dropout: 0.3, onlineMinutes: 5, offlineMinutes: 10, daySwing: 3 };
  const one = await run({ clients: 1_000_000, more: { fleet, rounds: 4 } });
  const other = await run({ clients: 1_000_000, more: { fleet, rounds: 4, threads: 3 } });
  expect(one.rows.filter(({ phase }) => phase === "committed")).toHaveLength(4);
  expect(other.rows).toEqual(one.rows);
  expect(other.modelDigest).toBe(one.modelDigest);
  expect(one.rows.some(({ offered, reported }) => offered > reported)).toBe(true);
  const first = one.rows.find(({ loss }) => loss !== null)!;
  expect(one.rows.at(-1)!.loss!).toBeLessThan(first.loss!);
}, 120_000);

test("a server with a few examples of its own compares updates with what it learns from them", async () => {
  const task = { strategy: { name: "flTrust" } };
  const trusted = heldOutDigitsTable("trusted", 40);
  const { rows } = await run({ task, more: { trusted, rounds: 3 } });
  expect(rows.filter(({ phase }) => phase === "committed")).toHaveLength(3);
  for (const { trust, reported } of rows) {
    expect(trust!.compared).toBe(reported);
    expect(trust!.trusted).toBeGreaterThan(0);
  }
  expect(rows.at(-1)!.loss!).toBeLessThan(rows[0]!.loss!);
  await expect(run({ task })).rejects.toMatchObject({ code: "simulator/invalid-options" });
  await expect(run({ more: { trusted } })).rejects.toMatchObject({
    code: "aggregation/incompatible-strategy",
  });
}, 120_000);

test("with secure aggregation the sum is that of the members, to the precision of its encoding", async () => {
  const task = { cohort: { goalCount: 5, minimumCount: 5, overSelection: 1 } };
  const plain = await run({ task, more: { rounds: 1 } });
  const secure = await run({ secure: true, task, more: { rounds: 1 } });
  expect(secure.rows[0]).toMatchObject({ phase: "committed", secure: true, reported: 5, numExamples: 100 });
  expect(plain.rows[0]).toMatchObject({ phase: "committed", secure: false, reported: 5, numExamples: 100 });
  expect(secure.rows[0]!.trainLoss!).toBeCloseTo(plain.rows[0]!.trainLoss!, 3);
  let largest = 0;
  plain.weights.values.forEach((value, i) => {
    largest = Math.max(largest, Math.abs(value - secure.weights.values[i]!));
  });
  expect(largest).toBeGreaterThan(0);
  expect(largest).toBeLessThan(0.01);
}, 120_000);

test("members that vanish while they are secured leave the sum or end the round, and that is repeatable too", async () => {
  const more = { rounds: 2, fleet: { dropout: 0.5 } };
  const { rows, modelDigest } = await run({ secure: true, more });
  expect((await run({ secure: true, more })).modelDigest).toBe(modelDigest);
  expect(rows.filter(({ phase }) => phase === "committed")).toHaveLength(2);
  for (const row of rows) {
    expect(row.reported + row.dropouts).toBe(row.cohort);
    if (row.phase === "committed") expect(row.numExamples).toBe(20 * row.reported);
    else expect(row.reason).toMatch(/^(round|secagg)\//);
  }
}, 120_000);

test("strategies that compare updates, and those that remember, are the coordinator's", async () => {
  const robust = await run({ task: { strategy: { name: "coordinateMedian", parameters: {} } } });
  const adaptive = await run({
    task: { strategy: { name: "fedAdam", parameters: { learningRate: 0.01 } } },
  });
  for (const { rows } of [robust, adaptive]) {
    expect(rows.map(({ phase }) => phase)).toEqual(["committed", "committed", "committed"]);
    expect(rows.at(-1)!.loss!).toBeLessThan(rows[0]!.loss!);
  }
  expect(robust.weightsDigest).not.toBe(adaptive.weightsDigest);
}, 120_000);

test("control variates, kept by each device from round to round, learn faster from devices that differ", async () => {
  // Everybody's examples: what averaging many local steps drifts away from.
  const table = heldOutDigitsTable("learned", 240);
  const dealing = { spec: parsePartition("shards:2"), clients: 8, seed: "dealt", examplesPerClient: 30 };
  const play = (strategy: object, threads: number) =>
    run({
      task: {
        strategy,
        local: { learningRate: 0.1, epochs: 5, batchSize: 5 },
        cohort: { goalCount: 4, minimumCount: 2, overSelection: 1, trainDeadlineMs: 60_000 },
      },
      more: {
        data: clientDataOf({ table }, dealing),
        heldOut: table,
        rounds: 6,
        threads,
        fleet: { nodeShare: 1 },
      },
    });
  const scaffold = { name: "scaffold", parameters: { population: 8 } };
  const averaged = await play({ name: "fedAvg" }, 2);
  const controlled = await play(scaffold, 2);
  expect(controlled.rows.map(({ phase }) => phase)).toEqual(averaged.rows.map(({ phase }) => phase));
  expect(controlled.rows.at(-1)!.loss!).toBeLessThan(0.85 * averaged.rows.at(-1)!.loss!);
  expect((await play(scaffold, 1)).modelDigest).toBe(controlled.modelDigest);
  await expect(run({ task: { strategy: scaffold } })).rejects.toMatchObject({
    code: "simulator/invalid-options",
    detail: { option: "node-share" },
  });
}, 120_000);

test("a task ends by its own stop rules", async () => {
  const more = { rounds: 1_000, fleet: { stepMs: 5_000 } };
  const { rows, stopped } = await run({ task: { stop: { elapsedMs: 40_000 } }, more });
  expect(stopped).toMatchObject({ code: "elapsed" });
  expect(rows.at(-1)!.clockSeconds).toBeGreaterThanOrEqual(40);
  expect(rows.at(-2)!.clockSeconds).toBeLessThan(40);
}, 120_000);

test("it measures as often as it is asked to, pauses as the task says, and ends at the target", async () => {
  const { rows, roundsToTarget } = await run({
    task: { pauseBetweenRoundsMs: 3_600_000 },
    more: { evaluateEvery: 2, rounds: 50, targetAccuracy: 0.12 },
  });
  expect(roundsToTarget).toBe(rows.length);
  expect(rows.length).toBeLessThan(50);
  expect(rows.map(({ accuracy }) => accuracy !== null)).toEqual(rows.map(({ round }) => round % 2 === 0));
  expect(rows.at(-1)!.accuracy!).toBeGreaterThanOrEqual(0.12);
  expect(rows[1]!.clockSeconds - rows[0]!.clockSeconds).toBeGreaterThan(3600);
}, 120_000);

test("rounds begin in the task's windows only, and what was waited is told", async () => {
  // From a Monday, midnight: windows of an hour at 2 o'clock; a round takes half an hour.
  const { rows } = await run({
    task: {
      schedule: { timeZone: "UTC", windows: [{ cron: "0 2 * * *", durationMs: 3_600_000 }] },
      cohort: { goalCount: 3, minimumCount: 3, overSelection: 1, trainDeadlineMs: 7_200_000 },
    },
    more: { rounds: 3, fleet: { stepMs: 900_000, stepSigma: 0 } },
  });
  expect(rows.map(({ phase }) => phase)).toEqual(["committed", "committed", "committed"]);
  const begun = rows.map(({ clockSeconds, seconds }) => Math.floor((clockSeconds - seconds + 1) / 3600));
  expect(begun).toEqual([2, 2, 26]);
  expect(rows.map(({ scheduleSeconds }) => scheduleSeconds / 3600)).toEqual([2, 0, expect.closeTo(22.9, 0)]);
  expect(rows[0]!.selectionSeconds).toBeLessThan(5);
}, 120_000);

test("only devices that meet the task's rules take part, and the others are counted by rule", async () => {
  const task = {
    eligibility: { network: "unmetered", tags: ["beta"], whenUnknown: "eligible" },
    cohort: { goalCount: 4, minimumCount: 3, overSelection: 1, trainDeadlineMs: 20_000_000 },
  };
  const options = {
    task,
    clients: 2_000,
    // Long enough for the hour to strike: who is on a metered network then stops.
    more: { labels: { tags: { beta: 0.2 } }, fleet: { stepMs: 2_500_000, unmeteredShare: 0.5 }, rounds: 2 },
  };
  const { rows } = await run(options);
  expect(rows.at(-1)).toMatchObject({ phase: "committed", version: 3 });
  const counted = rows[0]!.ineligible;
  expect(counted.tags!).toBeGreaterThan(counted.network!);
  expect(counted).not.toHaveProperty("battery");
  expect(rows.some(({ declines }) => declines["federation/ineligible"]! > 0)).toBe(true);
}, 120_000);

const gate = { metric: "accuracy", heldOutShare: 0.3, minimumDevices: 5, confidence: 0.9 };
const cohort = { goalCount: 3, minimumCount: 3, overSelection: 1.5, trainDeadlineMs: 60_000 };

test("a gate judges each version on held-out devices, secure or not, and only what passed is released", async () => {
  const task = { gate: { ...gate, requiredImprovement: -0.1 }, release: "on-gate", cohort };
  for (const secure of [false, true]) {
    const { rows, released } = await run({ task, secure, clients: 300, more: { rounds: 2 } });
    const gates = rows.filter(({ purpose }) => purpose === "gate");
    expect(gates.map(({ candidate }) => candidate)).toEqual([2, 3]);
    let passed = 1;
    for (const { verdict, version, baseVersion, candidate, released: then, numExamples } of gates) {
      expect(version).toBeNull();
      expect(baseVersion).toBe(passed);
      expect(verdict).toMatchObject({ reference: passed, metric: "accuracy" });
      expect(verdict!.devices).toBeGreaterThanOrEqual(5);
      expect(numExamples).toBe(verdict!.devices * 20);
      expect(verdict!.result).toBe(verdict!.lower! >= -0.1 ? "passed" : "failed");
      if (verdict!.result === "passed") passed = candidate!;
      expect(then).toBe(passed);
    }
    expect(released).toBe(passed);
  }
}, 120_000);

test("a gate that nothing passes pauses the task", async () => {
  const impossible = { ...gate, requiredImprovement: 0.9, patience: 2 };
  const { rows, stopped, released } = await run({
    task: { gate: impossible, release: "on-gate", cohort },
    clients: 300,
    more: { rounds: 50 },
  });
  expect(stopped).toMatchObject({ code: "gate" });
  expect(rows.filter(({ purpose }) => purpose === "gate")).toHaveLength(2);
  expect(released).toBe(1);
}, 120_000);

test("cohorts of a buffer go by their base, count by their staleness, and come out the same on any number of threads", async () => {
  const options = (threads: number): Parameters<typeof run>[0] => ({
    clients: 400,
    task: {
      cohort,
      strategy: { name: "fedBuff" },
      mode: { type: "buffered", bufferSize: 6, maxStaleness: 2, concurrency: 8 },
      gate: { ...gate, requiredImprovement: -0.2 },
    },
    more: { rounds: 3, threads, fleet: { stepSigma: 1.5, dropout: 0.1 } },
  });
  const { rows, modelDigest, stopped } = await run(options(1));
  const other = await run(options(2));
  expect(other.rows).toEqual(rows);
  expect(other.modelDigest).toBe(modelDigest);
  expect(stopped).toMatchObject({ code: "rounds" });
  const made = rows.filter(({ purpose, phase }) => purpose === "train" && phase === "committed");
  for (const [version, cohorts] of Map.groupBy(made, (row) => row.version)) {
    expect(cohorts.reduce((sum, { reported }) => sum + reported, 0)).toBeGreaterThanOrEqual(6);
    for (const { baseVersion, staleness, discount } of cohorts) {
      expect(staleness).toBe(version! - 1 - baseVersion);
      expect(staleness).toBeLessThanOrEqual(2);
      expect(discount).toBeCloseTo(1 / Math.sqrt(1 + staleness!), 12);
    }
  }
  expect(made.some(({ staleness }) => staleness! > 0)).toBe(true);
  // The gate measures beside them.
  expect(rows.filter(({ verdict }) => verdict !== null).at(-1)).toMatchObject({ candidate: 4 });
  expect(made.at(-1)!.loss!).toBeLessThan(made[0]!.loss!);
}, 120_000);

test.each([
  ["a task that only measures", { task: { kind: "telemetry", rounds: 1 } }, "simulator/invalid-options"],
  ["fewer clients than a round needs", { clients: 2 }, "simulator/invalid-options"],
  [
    "devices that are never there in time",
    { more: { fleet: { stepMs: 3_600_000, stepSigma: 0 } } },
    "simulator/stalled",
  ],
  [
    "a loss graph that lies elsewhere",
    { task: { loss: { kind: "graph", graph: "a".repeat(64) } } },
    "simulator/invalid-options",
  ],
])(
  "%s is a coded error that says what to do",
  async (_, options, code) => {
    await expect(run(options)).rejects.toMatchObject({ code });
  },
  60_000,
);
