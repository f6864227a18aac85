import type { ContestantName } from "./contestant.ts";
import type { Entry, RunningContestant } from "./start-contestant.ts";

type Figures = Readonly<Record<string, number>>;

/** Figures of onnxruntime-web with one thread carry no prefix. */
const PREFIXES: Readonly<Record<ContestantName, string>> = {
  "ort-web-1": "",
  "ort-web-2": "web2",
  "ort-node": "node",
  "tfjs-wasm": "tfjsWasm",
  "tfjs-cpu": "tfjsCpu",
};

const BOUNDS: Figures = {
  cnnB32PeakShare: 0.7,
  mlpB32PeakShare: 0.65,
  transformerB32PeakShare: 0.55,
  cnnB32SpeedupVsTfjs: 8,
  mlpB32SpeedupVsTfjs: 3,
};

/** Step times by contestant, shares of the peak, speed-ups against the faster backend of TensorFlow.js. */
export function figuresOf(running: readonly RunningContestant[]): Figures {
  const figures: Record<string, number> = {};
  for (const contestant of running) {
    const prefix = PREFIXES[contestant.name];
    figures[named(prefix, "peakRssMb")] = contestant.peakRssBytes / 1e6;
    const peak = peakOf(contestant);
    if (peak !== undefined) figures[named(prefix, "peakGflops")] = peak / 1e6;
    for (const entry of contestant.entries) {
      if (entry.info.name === "matmul" || entry.fewest === undefined) continue;
      const model = `${entry.info.name}B${entry.info.batchSize}`;
      figures[named(prefix, `${model}StepMs`)] = entry.fewest.wallMs;
      if (peak !== undefined) figures[named(prefix, `${model}PeakShare`)] = rateOf(contestant, entry)! / peak;
    }
  }
  return { ...figures, ...speedUps(running) };
}

export function verdictsOf(figures: Figures): string[] {
  return Object.entries(BOUNDS).flatMap(([name, least]) => {
    const value = figures[name];
    if (value === undefined) return [];
    return [`${value >= least ? "met" : "MISSED"}: ${name} ${value.toFixed(3)} (at least ${least})`];
  });
}

export function linesOf(running: readonly RunningContestant[]): string[] {
  return running.flatMap((contestant) => {
    const peak = peakOf(contestant);
    return contestant.entries.map((entry) => {
      const { info, fewest, failed } = entry;
      const label =
        `${contestant.name} ${info.name}${info.batchSize === 0 ? "" : ` B${info.batchSize}`}`.padEnd(27);
      if (fewest === undefined) return `${label} cannot run: ${failed ?? "not run"}`;
      if (info.name === "matmul") return `${label} ${(peak! / 1e6).toFixed(1)} GFLOP/s`;
      const share =
        peak === undefined ? "" : `, ${((100 * rateOf(contestant, entry)!) / peak).toFixed(0)} % of the peak`;
      const graph =
        info.buildMs === undefined
          ? ""
          : `; built in ${info.buildMs.toFixed(0)} ms, loaded in ${info.sessionMs!.toFixed(0)} ms`;
      return `${label} ${fewest.wallMs.toFixed(2)} ms a step (${fewest.cpuMs.toFixed(2)} of the processor)${share}${graph}`;
    });
  });
}

export function resultsOf(running: readonly RunningContestant[]): unknown {
  return running.map((contestant) => ({
    engine: contestant.name,
    peakRssBytes: contestant.peakRssBytes,
    cases: contestant.entries.map(({ info, fewest, failed }) => ({ ...info, ...fewest, failed })),
  }));
}

/** Operations per millisecond. */
function rateOf({ name }: RunningContestant, { info, fewest }: Entry): number | undefined {
  if (fewest === undefined) return undefined;
  // With one thread, processor time tells the same as a clock, but for what else runs on the machine.
  return info.flops / (name === "ort-web-2" ? fewest.wallMs : fewest.cpuMs);
}

function peakOf(contestant: RunningContestant): number | undefined {
  const entry = contestant.entries.find(({ info }) => info.name === "matmul");
  return entry === undefined ? undefined : rateOf(contestant, entry);
}

/** `cnnB32SpeedupVsTfjs`: time of the faster backend by that of onnxruntime-web, one thread each. */
function speedUps(running: readonly RunningContestant[]): Figures {
  const ours = running.find(({ name }) => name === "ort-web-1");
  const rivals = running.filter(({ name }) => name.startsWith("tfjs"));
  const figures: Record<string, number> = {};
  for (const { info, fewest } of ours?.entries ?? []) {
    const theirs = rivals.flatMap(({ entries }) =>
      entries
        .filter((entry) => entry.info.name === info.name && entry.info.batchSize === info.batchSize)
        .flatMap((entry) => entry.fewest ?? []),
    );
    if (fewest === undefined || theirs.length === 0) continue;
    // What other threads compile or collect garbage in meanwhile does not count against them.
    const fastest = Math.min(...theirs.map(({ cpuMs, wallMs }) => Math.min(cpuMs, wallMs)));
    figures[`${info.name}B${info.batchSize}SpeedupVsTfjs`] = fastest / fewest.cpuMs;
  }
  return figures;
}

/** `cnnB32StepMs`, `nodeCnnB32StepMs`. */
function named(prefix: string, name: string): string {
  return prefix === "" ? name : prefix + name[0]!.toUpperCase() + name.slice(1);
}
