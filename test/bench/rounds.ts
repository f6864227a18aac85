import { build2nn } from "@tributary/onnx";
import { measureAggregation } from "../src/bench/aggregation-speed.ts";
import type { Benchmark, BenchmarkContext } from "../src/bench/benchmark.ts";
import { holdConnections } from "../src/bench/held-connections.ts";
import { peakMemoryOfRound } from "../src/bench/round-memory.ts";
import { startCoordinator, temporaryFolder } from "../src/coordinator-process.ts";
import { createScriptedRound, PATIENT } from "../src/scripted-round.ts";
import { simulatedMillionClientsRssMb, simulatedRound1000Seconds } from "../src/simulated-rounds.ts";

const PARTS = ["aggregation", "memory", "round", "connections", "simulated"] as const;
type Part = (typeof PARTS)[number];

/** What a coordinator does with many devices at once. */
const rounds: Benchmark = {
  name: "rounds",
  summary:
    "Rounds at scale: the weighted sum against a copy, memory and time of large rounds, connections held.",
  usage: `[${PARTS.join("|")} ...]`,
  async run(context) {
    const wanted = PARTS.filter((part) => context.args.length === 0 || context.args.includes(part));
    const figures: Record<string, number> = {};
    for (const part of wanted) {
      context.log(`${part}:`);
      Object.assign(figures, await MEASURES[part](context));
    }
    const bounds = BOUNDS.filter(({ figure }) => figure in figures);
    return {
      results: {},
      figures,
      verdicts: bounds.map((bound) => verdict(bound, figures[bound.figure]!)),
    };
  },
};
export default rounds;

const MEASURES: Readonly<Record<Part, (context: BenchmarkContext) => Promise<Record<string, number>>>> = {
  async aggregation() {
    const { share, sumMsPerUpdate, copyMsPerUpdate } = measureAggregation();
    return {
      aggregationCopyShare: share,
      sumMsPerMillion: sumMsPerUpdate,
      copyMsPerMillion: copyMsPerUpdate,
    };
  },
  async memory(context) {
    const few = await peakMemoryOfRound(10, context);
    const many = await peakMemoryOfRound(1_000, context);
    return { rssGrowth1000over10: many / few };
  },
  async round(context) {
    return { roundSeconds500x100k: await secondsOfRound(context) };
  },
  async connections(context) {
    const { connections, bytesPerConnection, checkInsPerSecond } = await holdConnections(10_000, context);
    return { connectionsHeld: connections, bytesPerConnection, checkInsPerSecond };
  },
  async simulated() {
    return {
      simulatedRound1000Seconds: await simulatedRound1000Seconds(),
      simulatedMillionClientsRssMb: await simulatedMillionClientsRssMb(),
    };
  },
};

/** 500 devices report updates of 100 thousand parameters: from the first offer to the version. */
async function secondsOfRound(context: BenchmarkContext): Promise<number> {
  const folder = temporaryFolder();
  const coordinator = await startCoordinator({ dataDir: folder.path });
  try {
    const round = await createScriptedRound(coordinator, {
      model: build2nn({ seed: "round", hidden: 110 }),
      devices: 500,
      cohort: PATIENT,
    });
    await round.uploadAll((device) => ({ numExamples: 10 + device, fill: 1e-4 * (device + 1) }));
    const { seconds } = await round.committed();
    context.log(`500 updates of ${round.base.values.length} parameters: ${seconds?.toFixed(2)} s`);
    round.close();
    return seconds ?? Number.NaN;
  } finally {
    await coordinator.stop();
    folder.remove();
  }
}

interface Bound {
  readonly figure: string;
  readonly atLeast?: number;
  readonly atMost?: number;
}

const BOUNDS: readonly Bound[] = [
  { figure: "aggregationCopyShare", atLeast: 0.5 },
  { figure: "rssGrowth1000over10", atMost: 1.15 },
  { figure: "connectionsHeld", atLeast: 10_000 },
  { figure: "simulatedMillionClientsRssMb", atMost: 1_500 },
];

function verdict({ figure, atLeast = -Infinity, atMost = Infinity }: Bound, value: number): string {
  const limit = atLeast > -Infinity ? `at least ${atLeast}` : `at most ${atMost}`;
  return `${value >= atLeast && value <= atMost ? "met   " : "MISSED"} ${figure} ${value.toFixed(2)} (${limit})`;
}
