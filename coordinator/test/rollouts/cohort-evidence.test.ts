import { asModelName, asModelVersion, asRoundId, asTaskName } from "@tributary/core";
import { initialRollout, stepRollout, type RolloutConfig } from "@tributary/federation";
import { count, createMetrics, metricSchema, record as observe, telemetrySpecs } from "@tributary/metrics";
import { parseRolloutSpec, type MetricDocument } from "@tributary/protocol";
import { expect, test } from "vitest";
import type { RolloutRecord } from "../../src/ports/rollout-records.ts";
import type { MeasurementRecord } from "../../src/ports/task-records.ts";
import { lookAtCohorts, measuresGate, nextMeasured } from "../../src/rollouts/cohort-evidence.ts";

const TASK = asTaskName("how-it-runs");
const DIGITS = asModelName("digits");
const specs = telemetrySpecs(["errors", "latency", "feedback", "confidence", "predictions"], {
  classes: 3,
  inputs: [],
});
const schema = metricSchema(specs);
const metrics = Object.entries(specs).map(([name, spec]) =>
  spec.kind === "counter"
    ? { name, kind: "counter", values: "integer", minimum: 0, maximum: 1e6 }
    : { name, kind: "histogram", edges: spec.bins.edges, spacing: spec.bins.spacing, maximum: 1e6 },
) as unknown as MetricDocument[];

let rounds = 0;
/** Ten answers of each of sixteen devices. */
function cohort(version: number, { wrong = 0, slow = 0, errors = 0, predicted = 0 } = {}): MeasurementRecord {
  const sums = createMetrics(schema);
  const [answers, devices] = [160, 16];
  count(schema, sums, "runs" as never, answers);
  count(schema, sums, "feedback.answers" as never, answers);
  count(schema, sums, "feedback.correct" as never, answers * (1 - wrong));
  count(schema, sums, "errors.other" as never, errors);
  for (let i = 0; i < answers; i++) {
    observe(schema, sums, "latency.ort-wasm" as never, i < slow * answers ? 500 : 5);
    observe(schema, sums, "confidence" as never, 0.72);
    observe(schema, sums, "predictions" as never, predicted);
  }
  rounds += 1;
  return {
    roundId: asRoundId(`how-it-runs-${rounds}`),
    task: TASK,
    model: DIGITS,
    purpose: "telemetry",
    version: asModelVersion(version),
    candidate: null,
    devices,
    metrics,
    sums: Array.from(sums),
    confidence: 0.95,
    at: rounds,
  };
}

function rollout(): RolloutRecord {
  const spec = parseRolloutSpec({
    arms: [
      { name: "b", version: 2 },
      { name: "c", version: 3 },
    ],
    telemetryTask: TASK,
    gates: [
      { metric: "accuracy" },
      { metric: "latency", latencyMs: 100, evidence: "cohorts" },
      { metric: "errors", evidence: "cohorts" },
      { metric: "confidence" },
      { metric: "drift" },
    ],
  });
  const config: RolloutConfig = { spec, control: asModelVersion(1), floorShare: 0 };
  return {
    model: DIGITS,
    rollout: "stable-1",
    channel: "stable",
    number: 1,
    config,
    state: initialRollout(config, 0),
    evidence: { toldBefore: 0, round: null, cohorts: {}, waiting: {}, reference: null },
    createdAt: 0,
    endedAt: null,
  };
}

test("each cohort of an arm is compared with one of the control, once, by every gate that it tells of", async () => {
  const all: MeasurementRecord[] = [];
  const store = { measurements: { list: async () => all.toReversed() } as never };
  const record = rollout();
  expect(nextMeasured(record)).toBe(1);
  all.push(cohort(1, { wrong: 0.1 }), cohort(7));
  const first = await lookAtCohorts(store, record);
  expect(first).toMatchObject({ pairs: [], evidence: { cohorts: { 1: 1 } } });
  expect(nextMeasured({ ...record, evidence: first.evidence })).toBe(2);
  all.push(cohort(2, { wrong: 0.3, slow: 0.5, errors: 40, predicted: 1 }));
  const second = await lookAtCohorts(store, { ...record, evidence: first.evidence });
  const found = Object.fromEntries(
    second.pairs.map(({ gate, treated, control }) => [gate, [treated, control]]),
  );
  expect(second.pairs.every(({ arm }) => arm === "b")).toBe(true);
  expect(found[0]![0]).toBeCloseTo(0.3);
  expect(found[0]![1]).toBeCloseTo(0.1);
  expect(found[1]).toEqual([0.5, 0]);
  expect(found[2]).toEqual([40 / 200, 0]);
  expect(found[3]![0]).toBeCloseTo(0.275);
  expect(found[4]).toEqual([1, 0]);
  // The same rounds again say nothing new.
  const again = await lookAtCohorts(store, { ...record, evidence: second.evidence });
  expect(again).toMatchObject({ pairs: [], evidence: second.evidence });
  // The control's first cohort still waits for one of the other arm.
  all.push(cohort(3));
  const third = await lookAtCohorts(store, { ...record, evidence: second.evidence });
  expect(new Set(third.pairs.map(({ arm }) => arm))).toEqual(new Set(["c"]));
});

test("an arm that ended is measured no more, and plans are held to what gates need", () => {
  const record = rollout();
  const reason = { code: "withdrawn", message: "it answers nonsense" } as const;
  const { state } = stepRollout(record.config, record.state, {
    type: "withdrawn",
    now: 1,
    version: asModelVersion(2),
    reason,
  });
  const evidence = { ...record.evidence, cohorts: { 1: 1 } };
  expect(nextMeasured({ ...record, state, evidence })).toBe(3);
  const names = metrics.map(({ name }) => name);
  const gates = record.config.spec.gates;
  expect(gates.map((gate) => measuresGate(gate, names))).toEqual([true, true, true, true, true]);
  expect(gates.map((gate) => measuresGate(gate, ["runs"]))).toEqual([false, false, false, false, false]);
});
