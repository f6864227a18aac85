import { parseArgs } from "node:util";
import type { Benchmark } from "../src/bench/benchmark.ts";
import { batching, interleave } from "../src/inference-bench/contestant.ts";
import { openChromiumBench, type ChromiumBench } from "../src/inference-bench/in-chromium.ts";
import { openNodeBench } from "../src/inference-bench/in-node.ts";
import { MODELS } from "../src/inference-bench/models.ts";
import {
  figuresOf,
  mainThreadBlockMs,
  startFigures,
  verdictsOf,
  type Measured,
  type Starts,
} from "../src/inference-bench/report.ts";

const NAMES = MODELS.map(({ name }) => name);
const IN_PAGE = ["rawPage", "rawWorker", "ours", "transformersPage"];
/** Written down in TensorFlow.js operators a second time. */
const IN_TFJS = ["cnn", "transformer"];

/** Whose first answer is waited for, and of what. */
const STARTING = [...IN_PAGE, "tfjsPage"];
const STARTED = "cnn";

/** Each call in turn with the others', so that what else the machine does meets all alike; medians are compared. */
const inference: Benchmark = {
  name: "inference",
  summary:
    "What the runtime costs: calls through it against onnxruntime with nothing around it, Transformers.js and TensorFlow.js, in Chromium and Node.",
  usage: `[--calls 300] [--rounds 30] [--starts 5] [--models ${NAMES.join(",")}]`,
  async run({ args, log }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        calls: { type: "string", default: "300" },
        rounds: { type: "string", default: "30" },
        starts: { type: "string", default: "5" },
        models: { type: "string", default: NAMES.join(",") },
      },
    });
    const names = values.models.split(",");
    const unknown = names.find((name) => !NAMES.includes(name));
    if (unknown !== undefined) throw new Error(`--models: some of ${NAMES.join(", ")}, got ${unknown}`);
    const [calls, rounds, starts] = [Number(values.calls), Number(values.rounds), Number(values.starts)];

    const chromium = await openChromiumBench();
    try {
      const node = await openNodeBench(chromium.server);
      try {
        const page: Measured = { calls: {}, batches: await chromium.batching(IN_PAGE, "cnn", rounds) };
        const process: Measured = { calls: {}, batches: await batching(node.contestants, "cnn", rounds) };
        for (const name of names) {
          Object.assign(page.calls, { [name]: await chromium.interleave(contestantsOf(name), name, calls) });
          Object.assign(process.calls, { [name]: await interleave(node.contestants, name, calls) });
          log(`${name}: ${calls} calls of each`);
        }
        const started = await playStarts(chromium, starts);
        const figures = {
          ...figuresOf("", page, "rawWorker"),
          mainThreadBlockMs: mainThreadBlockMs(page),
          ...startFigures(started),
          ...figuresOf("node", process, "rawNode"),
        };
        return { results: { page, process, started }, figures, verdicts: verdictsOf(figures) };
      } finally {
        await node.close();
      }
    } finally {
      await chromium.close();
    }
  },
};
export default inference;

function contestantsOf(model: string): readonly string[] {
  return IN_TFJS.includes(model) ? [...IN_PAGE, "tfjsPage"] : IN_PAGE;
}

/** First visits and second ones, each contestant in its turn. */
async function playStarts(
  chromium: ChromiumBench,
  rounds: number,
): Promise<Readonly<Record<string, Starts>>> {
  const times = Object.fromEntries(
    STARTING.map((name): [string, { coldMs: number[]; cachedMs: number[] }] => [
      name,
      { coldMs: [], cachedMs: [] },
    ]),
  );
  for (let round = 0; round < rounds; round++) {
    for (const name of STARTING) {
      const { coldMs, cachedMs } = await chromium.start(name, STARTED);
      times[name]!.coldMs.push(coldMs);
      times[name]!.cachedMs.push(cachedMs);
    }
  }
  return times;
}
