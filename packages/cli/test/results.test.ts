import { createApiClient, type MeasurementView } from "@tributary/api-client";
import { createCoordinator } from "@tributary/coordinator";
import { LATENCY_BINS } from "@tributary/metrics";
import { buildLinear } from "@tributary/onnx";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { healthLines } from "../src/commands/health.ts";
import { measurementLines, verdictLine } from "../src/commands/results.ts";
import { runMain } from "./run-main.ts";

const measured: MeasurementView = {
  task: "digits",
  model: "digits",
  roundId: "digits-2",
  purpose: "evaluate",
  version: 1,
  candidate: 2,
  devices: 3,
  at: "2026-11-01T10:00:00.000Z",
  counters: { examples: 40, currentLoss: 20, currentCorrect: 30, candidateLoss: 10, candidateCorrect: 36 },
  histograms: {},
  comparison: {
    loss: { difference: -0.25, lower: -0.3, upper: -0.2, p: 0.00012, designEffect: 3.25 },
    accuracy: { difference: 0.15, lower: 0.05, upper: 0.25, lost: 1, gained: 7, p: 0.0703 },
    confidence: 0.95,
  },
  drift: [],
};

test("a comparison is told with its interval and its tests", () => {
  expect(measurementLines(measured)).toEqual([
    "2026-11-01T10:00:00.000Z  digits-2  evaluate  version 2 against 1, 3 devices",
    "  40 examples, loss 0.2500, accuracy 90.0 %",
    "  loss -0.2500, from -0.3000 to -0.2000 (each bound 95.0 %), paired t-test p 0.00012, design effect 3.3",
    "  accuracy +0.1500, from +0.0500 to +0.2500, 7 gained, 1 lost, McNemar p 0.070",
  ]);
});

test("telemetry is told as quantiles and classes, without what nobody counted", () => {
  const counts = LATENCY_BINS.edges.map(() => 0).concat(0);
  counts[21] = 100; // 10 to 12.6 ms
  const lines = measurementLines({
    ...measured,
    purpose: "telemetry",
    candidate: null,
    comparison: null,
    counters: {
      runs: 100,
      "errors.engine/run-failed": 2,
      "errors.other": 0,
      "feedback.answers": 8,
      "feedback.correct": 6,
    },
    drift: [
      {
        metric: "confidence",
        reference: { source: "measurement", roundId: "digits-1", version: 1, count: 90 },
        count: 100,
        psi: 0.4,
        psiExpected: 0.1,
        psiLimit: 0.2,
        ks: 0.25,
        ksExpected: 0.1,
        ksLimit: 0.15,
        beyondNoise: true,
      },
      {
        metric: "labels",
        reference: { source: "dataset", roundId: null, version: null, count: 50 },
        count: 7,
        psi: 0.1,
        psiExpected: 0.2,
        psiLimit: 0.3,
        ks: null,
        ksExpected: null,
        ksLimit: null,
        beyondNoise: false,
      },
    ],
    histograms: {
      "latency.ort-node": { edges: LATENCY_BINS.edges, counts },
      "latency.ort-wasm": { edges: LATENCY_BINS.edges, counts: counts.map(() => 0) },
      predictions: { edges: [0, 1, 2, 3], counts: [0, 5, 0, 7, 0] },
      memory: { edges: [1e6, 1e7, 1e8], counts: [0, 0, 4, 0] },
    },
  });
  expect(lines.slice(1)).toEqual([
    "  runs 100, errors.engine/run-failed 2",
    "  right by feedback 75.0 % of 8 answers",
    "  latency.ort-node  median 11.2 ms, 90 % 12.3 ms, 99 % 12.6 ms, of 100",
    "  predictions  0: 5, 2: 7",
    "  memory  median 31.6 MB, 90 % 79.4 MB, 99 % 97.7 MB, of 4",
    "  drift  confidence  PSI 0.40 (by chance below 0.20), KS 0.25 (0.15), 100 against 90 of digits-1",
    "  no drift  labels  PSI 0.10 (by chance below 0.30), 7 against 50 of the reference data set",
  ]);
});

test("versions on single devices are a table, and their errors below it", () => {
  const health = {
    version: 3,
    devices: 12,
    runs: 900,
    crashes: 2,
    crashedDevices: 1,
    selfCheckFailures: 0,
    errors: { "engine/run-failed": 4 },
    latencyMs: { p50: 12.25, p95: null, edges: [1], counts: [0, 1] },
    at: "2026-11-01T10:00:00.000Z",
  };
  expect(healthLines([health])).toEqual([
    "version  devices  runs  crashes  on devices  failed self-checks  errors  p50 ms  p95 ms  last told",
    "      3       12   900        2           1                   0       4      12       -  2026-11-01T10:00:00.000Z",
    "version 3: engine/run-failed 4",
  ]);
});

test("a verdict says by how much, and on what it rests", () => {
  const verdict = {
    result: "failed",
    metric: "accuracy",
    reference: 3,
    devices: 16,
    examples: 900,
    improvement: 0.001,
    lower: -0.01,
    upper: 0.012,
    requiredImprovement: 0,
    confidence: 0.95,
    mcNemarP: 0.9,
    roundId: "digits-8",
    at: "2026-11-01T10:00:00.000Z",
  } as const;
  expect(verdictLine(verdict)).toBe(
    "failed: accuracy better than version 3 by +0.0010 (-0.0100 to +0.0120, 0.0000 required), on 900 examples of 16 held-out devices",
  );
  expect(verdictLine({ ...verdict, result: "undecided", improvement: null, lower: null, upper: null })).toBe(
    "undecided: 16 held-out devices were too few to say",
  );
});

test("model release moves a channel, also back and by what a version is called", async () => {
  const dataDir = await mkdtemp(join(tmpdir(), "tributary-release-"));
  const coordinator = await createCoordinator({ dataDir, port: 0 });
  try {
    const { url, operatorToken: token } = coordinator;
    const api = createApiClient({ baseUrl: url, token });
    await api.publishModel("digits", buildLinear({ seed: 1 }));
    await api.publishModel("digits", buildLinear({ seed: 2 }));
    const at = ["--url", url, "--data-dir", dataDir];
    expect(await runMain("model", "release", "digits", "1", ...at)).toMatchObject({
      code: 0,
      stdout: "released digits 1 on stable\n",
    });
    expect((await runMain("model", "health", "digits", ...at)).stdout).toMatch(/^no device tells/);
    expect((await runMain("model", "list", ...at)).stdout).toMatch(
      /version 1 of 2, newest 2 is not released/,
    );
    const of = async (...args: string[]) => (await runMain("model", ...args, ...at)).stdout;
    expect(await of("alias", "digits", "next", "2")).toBe("next of digits is 2\n");
    expect(await of("release", "digits", "next", "--channel", "beta")).toBe("released digits 2 on beta\n");
    expect((await runMain("model", "list", ...at)).stdout).toMatch(
      /stable {2}version 1 of 2, newest 2 is not released, beta 2, \d+ param/,
    );
    const table = async (command: string) => (await runMain("model", command, "digits", ...at)).stdout;
    expect(await table("channels")).toMatch(
      /^channel +version +since +state\nstable +1 +20\S+\nbeta +2 +20\S+\n$/,
    );
    expect(await table("aliases")).toMatch(/^alias +version +since\nchampion +1 +\S+\nnext +2 +\S+\n$/);
    expect((await runMain("versions", "digits", ...at)).stdout).toMatch(
      /^ +2 +1 +operator +0 +0 +- +- +beta next\n +1 +- +operator/m,
    );
    expect(await of("card-notes", "digits", "--licence", "MIT", "--contact", "a@b.example")).toBe(
      "wrote licence, contacts on the cards of digits\n",
    );
    await of("card-notes", "digits", "--limitations", "small");
    const { notes } = await api.cardNotes("digits");
    expect(notes).toEqual({
      intendedUse: "",
      limitations: "small",
      licence: "MIT",
      contacts: ["a@b.example"],
    });
    expect((await runMain("model", "card-notes", "digits", ...at)).stderr).toMatch(/cli\/usage/);
    expect(await table("card")).toMatch(/^# digits, version 1\n[^]*- licence: MIT\n- a@b.example\n$/);
    const json = await runMain("model", "card", "digits", "next", "--json", ...at);
    expect(JSON.parse(json.stdout)).toMatchObject({ channels: ["beta"], version: { version: 2 } });
    expect(await of("retention", "digits", "--newest", "1", "--released-within-days", "3")).toBe(
      "the newest version stays, and what was released in the last 3 days; files of versions that left stay in the coordinator's folder\n" +
        "version  stays as\n" +
        "      2  newest, training, channel, alias, recently-released, delta-base\n" +
        "      1  channel, alias, recently-released, delta-base\n",
    );
    expect(await table("retention")).toMatch(/^the newest version stays/);
    expect(await of("alias", "digits", "next", "--remove")).toBe("removed alias next of digits\n");
    expect(await of("remove-channel", "digits", "beta")).toBe("removed channel beta of digits\n");
    const neither = await runMain("model", "alias", "digits", "next", ...at);
    expect(neither.stderr).toMatch(/cli\/usage/);
    expect((await runMain("model", "release", "digits", "0", ...at)).stderr).toMatch(
      /alias such as champion/,
    );
    const missing = await runMain("model", "release", "digits", "7", ...at);
    expect(missing.code).not.toBe(0);
    expect(missing.stderr).toMatch(/unknown-version/);
  } finally {
    await coordinator.close();
    await rm(dataDir, { recursive: true });
  }
});
