import type { RoundView } from "@tributary/protocol";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

/** From a second to two hours: a round of devices that are here, to one that waits for them. */
const ROUND_SECONDS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 3_600, 7_200];

/** What became of a round's devices, in the order in which they get there. */
const STEPS = ["offered", "ready", "cohort", "reported", "dropouts", "refused"] as const;

/** Rounds whose end was counted: of a buffered one another event comes when a version has its sum. */
const REMEMBERED = 1_024;

/** Counts of rounds that ended while this process ran. */
export interface RoundMetrics {
  /** Told of every change of a round; only its end counts. */
  changed(round: RoundView): void;
}

export function createRoundMetrics(registry: Registry): RoundMetrics {
  const registers = [registry];
  const rounds = new Counter({
    name: "tributary_rounds_total",
    help: "Rounds that ended, by outcome: committed, buffered or abandoned.",
    labelNames: ["task", "purpose", "outcome"],
    registers,
  });
  const seconds = new Histogram({
    name: "tributary_round_duration_seconds",
    help: "From a round's begin to its end.",
    labelNames: ["task", "outcome"],
    buckets: ROUND_SECONDS,
    registers,
  });
  const devices = new Counter({
    name: "tributary_round_devices_total",
    help: "Devices of rounds that ended: offered, ready, in the cohort, reported, dropped out, refused.",
    labelNames: ["task", "step"],
    registers,
  });
  const bytes = new Counter({
    name: "tributary_round_bytes_total",
    help: "Bytes of rounds that ended: up from devices, down to them.",
    labelNames: ["task", "direction"],
    registers,
  });
  const inARow = new Gauge({
    name: "tributary_rounds_abandoned_in_a_row",
    help: "Abandoned rounds of a task since the last one that was not.",
    labelNames: ["task"],
    registers,
  });
  const quality = new Gauge({
    name: "tributary_round_quality",
    help: "Of the newest committed round: loss and accuracy, on the cohort's examples and on held-out ones.",
    labelNames: ["task", "measure", "data"],
    registers,
  });
  const counted = new Set<string>();
  return {
    changed(round) {
      const { id, task, purpose, phase: outcome, endedAt } = round;
      if (endedAt === null || counted.has(id)) return;
      if (counted.size >= REMEMBERED) counted.delete(counted.values().next().value!);
      counted.add(id);
      rounds.inc({ task, purpose, outcome });
      if (round.seconds !== null) seconds.observe({ task, outcome }, round.seconds);
      for (const step of STEPS) devices.inc({ task, step }, round[step]);
      bytes.inc({ task, direction: "up" }, round.bytesUp);
      bytes.inc({ task, direction: "down" }, round.bytesDown);
      if (outcome === "abandoned") inARow.inc({ task });
      else inARow.set({ task }, 0);
      if (outcome !== "committed") return;
      const measured = [
        ["loss", "cohort", round.trainLoss],
        ["accuracy", "cohort", round.trainAccuracy],
        ["loss", "held-out", round.loss],
        ["accuracy", "held-out", round.accuracy],
      ] as const;
      for (const [measure, data, value] of measured)
        if (value !== null) quality.set({ task, measure, data }, value);
    },
  };
}
