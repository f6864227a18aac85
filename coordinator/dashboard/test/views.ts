import type { RoundView, TaskView, VersionView } from "@tributary/api-client";

/** A round as the API gives it, with what a test is about. */
export function aRound(more: Partial<RoundView> = {}): RoundView {
  return {
    id: "digits-7",
    task: "digits",
    model: "digits",
    number: 7,
    phase: "training",
    baseVersion: 6,
    version: null,
    startedAt: "2026-11-01T10:00:00.000Z",
    endedAt: null,
    deadlineAt: null,
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
  };
}

export function aTask(more: Partial<TaskView> = {}): TaskView {
  return {
    name: "digits",
    model: "digits",
    population: "default",
    state: "running",
    spec: {
      name: "digits",
      model: "digits",
      population: "default",
      rounds: null,
      trainable: ["*"],
      loss: { kind: "softmax-cross-entropy" },
      moreLosses: [],
      metrics: [],
      local: {
        epochs: 1,
        batchSize: 10,
        learningRate: 0.1,
        maxExamples: 600,
        learningRateSchedule: { kind: "constant" },
        optimizer: { kind: "sgd" },
        clipGradientNorm: null,
        loopSteps: 64,
        proximalTerm: null,
      },
      strategy: { name: "fedAvg", parameters: { learningRate: 1 } },
      cohort: {
        goalCount: 10,
        minimumCount: 5,
        overSelection: 1.3,
        trainDeadlineMs: 10_000,
        reportDeadlineMs: 5_000,
      },
      pauseBetweenRoundsMs: 0,
      evaluation: { dataset: null, batchSize: 100 },
      maxUpdateNorm: 10,
      secureAggregation: {
        mode: "on",
        minimumCohort: 16,
        corruption: 0.05,
        dropout: 0.3,
        phaseDeadlineMs: 10_000,
        valueBits: 16,
        maxExampleLoss: 1000,
      },
    },
    currentVersion: 6,
    round: null,
    roundsCommitted: 5,
    createdAt: "2026-11-01T09:00:00.000Z",
    ...more,
  };
}
