import { parseArgs } from "node:util";
import { ortNode, ortWasm } from "../../packages/onnx/test/support/engines.ts";
import type { Benchmark } from "../src/bench/benchmark.ts";
import { matmulPeak } from "../src/training-bench/matmul-peak.ts";
import { MODELS, stepCase, type StepCase, type Timed } from "../src/training-bench/step-case.ts";

/** Share of a round that each case runs for, in milliseconds: short ones run often enough to be told apart from noise. */
const SLICE_MS = 150;

/** Step times in one interleaved run, so that what else the machine does meets all cases alike; minima are compared. */
const training: Benchmark = {
  name: "training",
  summary:
    "One training step of FedAvg's 2NN and CNN on onnxruntime-web and -node, one thread, against their matmul peak.",
  usage: "[--rounds 12] [--engine web|node|both] [--batch 10,32]",
  async run({ args, log }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        rounds: { type: "string", default: "12" },
        engine: { type: "string", default: "both" },
        batch: { type: "string", default: "10,32" },
      },
    });
    const open = { web: [ortWasm], node: [ortNode], both: [ortWasm, ortNode] }[values.engine];
    if (open === undefined) throw new Error(`--engine must be web, node or both, got ${values.engine}`);
    const batches = values.batch.split(",").map(Number);
    const results: Record<string, unknown>[] = [];
    const figures: Record<string, number> = {};
    for (const start of open) {
      const engine = await start();
      const prefix = engine.name === "ort-wasm" ? "" : "node";
      const peak = await matmulPeak(engine);
      const cases: StepCase[] = [];
      for (const model of MODELS) {
        for (const batch of batches) cases.push(await stepCase(engine, model, batch));
      }
      const best = await fastest([peak, ...cases], Number(values.rounds));
      // Every engine has one thread: by processor time, other work on the machine changes the shares little.
      const peakRate = peak.flops / best[0]!.cpuMs;
      log(`${peak.name.padEnd(20)} ${(peakRate / 1e6).toFixed(1)} GFLOP/s`);
      figures[named(prefix, "peakGflops")] = peakRate / 1e6;
      for (const [i, { name, flops, buildMs, sessionMs, modelBytes }] of cases.entries()) {
        const { wallMs: stepMs, cpuMs } = best[i + 1]!;
        const share = flops / cpuMs / peakRate;
        log(
          `${name.padEnd(20)} ${stepMs.toFixed(2)} ms a step (${cpuMs.toFixed(2)} of the processor), ${(100 * share).toFixed(0)} % of the peak; ` +
            `built in ${buildMs.toFixed(0)} ms, loaded in ${sessionMs.toFixed(0)} ms`,
        );
        const [, model, batch] = name.split(" ") as [string, string, string];
        figures[named(prefix, `${model}${batch}PeakShare`)] = share;
        figures[named(prefix, `${model}${batch}StepMs`)] = stepMs;
        results.push({ name, stepMs, cpuMs, share, flops, buildMs, sessionMs, modelBytes });
      }
      for (const one of [peak, ...cases]) await one.close();
    }
    const verdicts = Object.entries({ cnnB32PeakShare: 0.7, mlpB32PeakShare: 0.65 }).flatMap(
      ([name, least]) => {
        const value = figures[name];
        if (value === undefined) return [];
        return [`${value >= least ? "met" : "MISSED"}: ${name} ${value.toFixed(3)} (at least ${least})`];
      },
    );
    return {
      results: { steps: results, peakRssBytes: process.resourceUsage().maxRSS * 1024 },
      figures,
      verdicts,
    };
  },
};
export default training;

/** `cnnB32StepMs`, `nodeCnnB32StepMs`. */
function named(prefix: string, name: string): string {
  return prefix === "" ? name : prefix + name[0]!.toUpperCase() + name.slice(1);
}

interface Fewest {
  readonly wallMs: number;
  /** Processor time of the whole process. */
  readonly cpuMs: number;
}

/** The fewest milliseconds of one run of each, over rounds in which each has its turn. */
async function fastest(cases: readonly Timed[], rounds: number): Promise<Fewest[]> {
  const best = cases.map(() => ({ wallMs: Number.POSITIVE_INFINITY, cpuMs: Number.POSITIVE_INFINITY }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, one] of cases.entries()) {
      const until = performance.now() + SLICE_MS;
      do {
        const cpu = process.cpuUsage();
        const begin = performance.now();
        await one.run();
        const now = performance.now();
        const { user, system } = process.cpuUsage(cpu);
        best[i]!.wallMs = Math.min(best[i]!.wallMs, now - begin);
        best[i]!.cpuMs = Math.min(best[i]!.cpuMs, (user + system) / 1000);
      } while (performance.now() < until);
    }
  }
  return best;
}
