import type { RoundView, TaskView, VersionView } from "@tributary/api-client";
import { parseTaskSpec } from "@tributary/protocol";

/** A round as the API gives it, with what a test is about. */
export function aRound(more: Partial<RoundView> = {}): RoundView {
  return {
    id: "digits-7",
    task: "digits",
    model: "digits",
    number: 7,
    purpose: "train",
    phase: "training",
    baseVersion: 6,
    version: null,
    startedAt: "2026-11-01T10:00:00.000Z",
    endedAt: null,
    deadlineAt: null,
    phases: [],
    offered: 0,
    ready: 0,
    cohort: 0,
    reported: 0,
    dropouts: 0,
    refused: 0,
    numExamples: 0,
    trainLoss: null,
    trainAccuracy: null,
    loss: null,
    accuracy: null,
    bytesUp: 0,
    bytesDown: 0,
    seconds: null,
    reason: null,
    secure: null,
    ...more,
  };
}

export function aVersion(version: number, parentVersion: number | null): VersionView {
  return {
    model: "digits",
    version,
    parentVersion,
    roundId: null,
    createdAt: "2026-11-01T10:00:00.000Z",
    weightsDigest: "0".repeat(64),
    sizeBytes: 1,
    int8SizeBytes: 1,
    parameterCount: 1,
    loss: null,
    accuracy: null,
    cohort: 0,
    numExamples: 0,
    strategy: null,
    metrics: {},
    releasedAt: "2026-11-01T10:00:00.000Z",
    gate: null,
    trust: null,
    lineage: null,
  };
}

export function aTask(more: Partial<TaskView> = {}): TaskView {
  return {
    name: "digits",
    model: "digits",
    population: "default",
    state: "running",
    // What the API fills in, by its own schema.
    spec: parseTaskSpec({
      name: "digits",
      model: "digits",
      loss: { kind: "softmax-cross-entropy" },
      local: { learningRate: 0.1 },
      strategy: { name: "fedAvg", parameters: { learningRate: 1 } },
      cohort: { goalCount: 20, minimumCount: 5, trainDeadlineMs: 10_000, reportDeadlineMs: 5_000 },
      maxUpdateNorm: 10,
    }),
    currentVersion: 6,
    round: null,
    roundsCommitted: 5,
    gate: null,
    createdAt: "2026-11-01T09:00:00.000Z",
    reason: null,
    ...more,
  };
}
