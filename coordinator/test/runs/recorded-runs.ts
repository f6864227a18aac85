import type { RoundView, TaskView } from "@tributary/api-client";
import type { RunSource } from "../../src/runs/run-source.ts";

/** A task and its rounds, as a coordinator shows them; both may change. */
export function recordedRuns(count: number) {
  const task = {
    name: "digits",
    model: "digits",
    population: "default",
    state: "running",
    reason: null,
    createdAt: "2026-01-01T00:00:00.000Z",
    spec: {
      kind: "train",
      strategy: { name: "fedAdam" },
      local: { learningRate: 0.1 },
      trainable: ["a", "b"],
      limit: null,
    },
  } as unknown as { -readonly [K in keyof TaskView]: TaskView[K] };
  const rounds: RoundView[] = Array.from({ length: count }, (_, i) => roundOf(i + 1));
  const source: RunSource = {
    tasks: async () => [task.name],
    task: async (name) => (name === task.name ? task : undefined),
    rounds: async (_, { limit, before = Infinity }) =>
      rounds
        .filter(({ number }) => number < before)
        .toReversed()
        .slice(0, limit),
    measurements: async () => [
      {
        roundId: "digits-2",
        histograms: { "latency.run": { edges: [1, 2, 4], counts: [0, 3, 1, 0] } },
      } as never,
    ],
    version: async (_, version) => ({ weightsDigest: String(version).padStart(64, "0") }) as never,
  };
  return { task, rounds, source };
}

export function roundOf(number: number, more: Partial<RoundView> = {}): RoundView {
  const begin = Date.parse("2026-01-01T00:00:00Z") + number * 60_000;
  return {
    id: `digits-${number}`,
    task: "digits",
    model: "digits",
    number,
    purpose: "train",
    phase: "committed",
    version: number + 1,
    startedAt: new Date(begin).toISOString(),
    endedAt: new Date(begin + 30_000).toISOString(),
    seconds: 20,
    loss: 1 / number,
    accuracy: null,
    trainLoss: 2 / number,
    trainAccuracy: 0.5,
    numExamples: 100,
    offered: 5,
    ready: 4,
    cohort: 4,
    reported: 3,
    dropouts: 1,
    refused: 0,
    bytesUp: 10,
    bytesDown: 20,
    ...more,
  } as unknown as RoundView;
}
