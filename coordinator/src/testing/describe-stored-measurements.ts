import { asModelName, asModelVersion, asRoundId, asTaskName } from "@tributary/core";
import { expect, test } from "vitest";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { VersionRecord } from "../ports/model-records.ts";
import type { GateRecord, MeasurementRecord } from "../ports/task-records.ts";
import { codeOf } from "./code-of.ts";
import { exampleModel, exampleRound, exampleTask, exampleVersion } from "./records.ts";

const DIGITS = asModelName("digits");
const TASK = asTaskName("digits-task");

const VERDICT: NonNullable<VersionRecord["gate"]> = {
  result: "failed",
  metric: "loss",
  reference: asModelVersion(1),
  devices: 3,
  examples: 90,
  improvement: -0.01,
  lower: -0.02,
  upper: 0.001,
  requiredImprovement: 0,
  confidence: 0.95,
  mcNemarP: 0.5,
  roundId: asRoundId("digits-task-2"),
  at: "2026-11-01T10:00:00.000Z",
};

const GATE: GateRecord = {
  reference: asModelVersion(1),
  candidate: asModelVersion(2),
  failures: 1,
  last: VERDICT,
};

/** Released versions, gates and what devices measured; part of the metadata store's suite. */
export function describeStoredMeasurements(opened: () => MetadataStore): void {
  const published = async (): Promise<MetadataStore> => {
    const store = opened();
    await store.models.insert(exampleModel());
    await store.versions.insert(exampleVersion(1));
    await store.tasks.insert(exampleTask());
    return store;
  };

  test("a version is released when it comes, or later, or again", async () => {
    const store = await published();
    await store.versions.insert(exampleVersion(2, { releasedAt: null }));
    expect(await store.models.get(DIGITS)).toMatchObject({ currentVersion: 2, releasedVersion: 1 });
    expect((await store.versions.get(DIGITS, asModelVersion(2)))?.releasedAt).toBeNull();
    const move = (version: number, releasedAt: number) =>
      store.channels.move({ model: DIGITS, name: "stable", version: asModelVersion(version), releasedAt });
    await move(2, 50);
    expect(await store.models.get(DIGITS)).toMatchObject({ releasedVersion: 2, releasedAt: 50 });
    await move(1, 60);
    expect(await store.models.get(DIGITS)).toMatchObject({
      currentVersion: 2,
      releasedVersion: 1,
      releasedAt: 60,
    });
    expect((await store.versions.get(DIGITS, asModelVersion(2)))?.releasedAt).toBe(50);
    expect(await codeOf(move(9, 70))).toBe("store/not-found");
    expect(await store.models.get(DIGITS)).toMatchObject({ releasedVersion: 1 });
  });

  test("a gate stands with its task, a verdict with its version", async () => {
    const store = await published();
    expect((await store.tasks.get(TASK))?.gate).toBeNull();
    await store.tasks.setGate(TASK, GATE);
    expect((await store.tasks.get(TASK))?.gate).toEqual(GATE);
    await store.versions.setGate(DIGITS, asModelVersion(1), VERDICT);
    expect((await store.versions.get(DIGITS, asModelVersion(1)))?.gate).toEqual(VERDICT);
    expect(await codeOf(store.tasks.setGate(asTaskName("none"), GATE))).toBe("store/not-found");
    expect(await codeOf(store.versions.setGate(DIGITS, asModelVersion(9), VERDICT))).toBe("store/not-found");
  });

  test("what hid the updates of a round's sum is told, newest first", async () => {
    const store = await published();
    const secure = {
      step: "unmask",
      cohort: 20,
      threshold: 17,
      survivors: 19,
      lost: { advertise: 0, share: 0, mask: 1, sign: 0, unmask: 0 },
      private: true,
      unmasked: 1,
    } as const;
    await store.rounds.insert(exampleRound(1, { phase: "committed", endedAt: 5, reported: 7 }));
    await store.rounds.insert(exampleRound(2, { phase: "abandoned", endedAt: 5, secure }));
    await store.rounds.insert(exampleRound(3, { phase: "committed", endedAt: 5, secure, purpose: "gate" }));
    expect(await store.rounds.summed(TASK, 10)).toEqual([
      { number: 3, purpose: "gate", startedAt: 1_790_000_000_003, devices: 19, threshold: 17, private: true },
      {
        number: 1,
        purpose: "train",
        startedAt: 1_790_000_000_001,
        devices: 7,
        threshold: null,
        private: false,
      },
    ]);
    expect(await store.rounds.summed(TASK, 1)).toHaveLength(1);
  });

  test("the course of a task is its rounds that trained and made a version, oldest first", async () => {
    const store = await published();
    const made = (number: number, more = {}) =>
      store.rounds.insert(
        exampleRound(number, {
          phase: "committed",
          endedAt: 5,
          version: asModelVersion(number + 1),
          ...more,
        }),
      );
    expect(await store.rounds.newestVersion(TASK)).toBeNull();
    await made(1);
    await made(2, { purpose: "gate", version: null });
    await made(3, { phase: "abandoned", version: null });
    await made(4, { accuracy: 0.5 });
    await made(5);
    const numbers = async (options: { limit: number; upTo?: number }) =>
      (await store.rounds.course(TASK, options)).map(({ number }) => number);
    expect(await numbers({ limit: 10 })).toEqual([1, 4, 5]);
    expect(await numbers({ limit: 2 })).toEqual([4, 5]);
    expect(await numbers({ limit: 10, upTo: 4 })).toEqual([1, 4]);
    expect((await store.rounds.course(TASK, { limit: 2 }))[0]).toEqual({
      number: 4,
      version: 5,
      startedAt: 1_790_000_000_004,
      endedAt: 5,
      numExamples: 0,
      loss: null,
      accuracy: 0.5,
      trainLoss: null,
      trainAccuracy: null,
    });
    expect(await store.rounds.newestVersion(TASK)).toBe(6);
  });

  test("a round measures once, and a gate's round is none of the task's own", async () => {
    const store = await published();
    const ended = { phase: "committed", endedAt: 5 } as const;
    await store.rounds.insert(exampleRound(1, ended));
    await store.rounds.insert(exampleRound(2, { ...ended, purpose: "gate" }));
    expect(await store.rounds.countCommitted(TASK)).toBe(1);
    const measurement: MeasurementRecord = {
      roundId: asRoundId("digits-task-2"),
      task: TASK,
      model: DIGITS,
      purpose: "gate",
      version: asModelVersion(1),
      candidate: asModelVersion(2),
      devices: 3,
      metrics: [{ name: "examples", kind: "counter", values: "integer", minimum: 0, maximum: 9 }],
      sums: [7.5],
      confidence: 0.9,
      at: 10,
    };
    await store.measurements.insert(measurement);
    expect(await codeOf(store.measurements.insert(measurement))).toBe("store/conflict");
    const earlier = { ...measurement, roundId: asRoundId("digits-task-1"), candidate: null, at: 5 };
    await store.measurements.insert(earlier);
    expect(await store.measurements.list(TASK)).toEqual([measurement, earlier]);
    expect(await store.measurements.list(TASK, { limit: 1 })).toEqual([measurement]);
    expect(await store.measurements.list(asTaskName("none"))).toEqual([]);
    // All but the newest and the first are forgotten.
    await store.rounds.insert(exampleRound(3, { ...ended, purpose: "gate" }));
    const between = { ...measurement, roundId: asRoundId("digits-task-3"), at: 7 };
    await store.measurements.insert(between);
    await store.measurements.prune(2);
    expect(await store.measurements.list(TASK)).toEqual([measurement, between, earlier]);
    await store.measurements.prune(1);
    expect(await store.measurements.list(TASK)).toEqual([measurement, earlier]);
    for (const pair of [
      [1, 2],
      [2, 1],
    ].map((each) => each.map(asModelVersion)))
      expect(await store.measurements.ofPair(DIGITS, pair[0]!, pair[1]!)).toEqual(measurement);
    expect(await store.measurements.ofPair(DIGITS, asModelVersion(1), asModelVersion(1))).toBeUndefined();
    expect(await store.measurements.ofPair(DIGITS, asModelVersion(1), asModelVersion(3))).toBeUndefined();
  });
}
