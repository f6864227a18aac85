import { parseArgs } from "node:util";
import type { Benchmark } from "../src/bench/benchmark.ts";
import { CONTESTANTS, type ContestantName } from "../src/training-bench/contestant.ts";
import { figuresOf, linesOf, resultsOf, verdictsOf } from "../src/training-bench/report.ts";
import { startContestant, type RunningContestant } from "../src/training-bench/start-contestant.ts";

/** Share of a round that each case runs for, in milliseconds: short ones run often enough to be told apart from noise. */
const SLICE_MS = 150;
/** A case that has run this long has no further turn: TensorFlow.js needs half a minute for one step of some. */
const ENOUGH_MS = 20_000;

/** Step times in one interleaved run, so that what else the machine does meets all cases alike; minima are compared. */
const training: Benchmark = {
  name: "training",
  summary:
    "One training step of FedAvg's 2NN and CNN and of a transformer block: onnxruntime, against its matmul peak, and TensorFlow.js.",
  usage: `[--rounds 12] [--engines ${CONTESTANTS.join(",")}] [--models mlp,cnn,transformer] [--batch 10,32]`,
  async run({ args, log }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        rounds: { type: "string", default: "12" },
        engines: { type: "string", default: CONTESTANTS.join(",") },
        models: { type: "string", default: "mlp,cnn,transformer" },
        batch: { type: "string", default: "10,32" },
      },
    });
    const names = values.engines.split(",") as ContestantName[];
    const unknown = names.find((name) => !CONTESTANTS.includes(name));
    if (unknown !== undefined) throw new Error(`--engines: one of ${CONTESTANTS.join(", ")}, got ${unknown}`);
    const running: RunningContestant[] = [];
    try {
      for (const name of names) {
        running.push(
          await startContestant(name, values.models.split(","), values.batch.split(",").map(Number)),
        );
      }
      await playRounds(running, Number(values.rounds));
      for (const line of linesOf(running)) log(line);
      const figures = figuresOf(running);
      return { results: resultsOf(running), figures, verdicts: verdictsOf(figures) };
    } finally {
      for (const contestant of running) contestant.stop();
    }
  },
};
export default training;

/** Each case of each contestant has its turn in every round; one model and batch size after the other, on all engines. */
async function playRounds(running: readonly RunningContestant[], rounds: number): Promise<void> {
  const turns = running.flatMap((contestant) =>
    contestant.entries.map(({ info }, index) => ({ contestant, index, info })),
  );
  const kinds = new Set(turns.map(({ info }) => `${info.name} ${info.batchSize}`));
  const ordered = [...kinds].flatMap((kind) =>
    turns.filter(({ info }) => `${info.name} ${info.batchSize}` === kind),
  );
  const spentMs = ordered.map(() => 0);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { contestant, index }] of ordered.entries()) {
      if (spentMs[i]! > ENOUGH_MS) continue;
      const begin = performance.now();
      await contestant.turn(index, SLICE_MS);
      spentMs[i]! += performance.now() - begin;
    }
  }
}
