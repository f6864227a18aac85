import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import type { Benchmark } from "../src/bench/benchmark.ts";
import { dataFolder } from "../src/data-folder.ts";
import { openMnist, runFedAvg, type FedAvgOptions, type FedAvgRun } from "../src/fedavg-run.ts";

/** Rounds to 97 % of the 2NN with E = 1, B = 10, C = 0.1 in table 2 of McMahan et al. 2017, and 30 % more: what is asked. */
const PAPER = { iid: 87, shards: 664 } as const;
const ALLOWED = { roundsTo97Iid: 113, roundsTo97Shards: 863 } as const;
const TARGET = 0.97;

const PARTS = ["iid", "shards", "secure", "dirichlet"] as const;
type Part = (typeof PARTS)[number];

/**
 * Learning rates of the devices, FedProx's mu, and server learning rates: the best of each grid, by
 * `--tune NAME` after 20 rounds, and after 40 where strategies are compared then. The strategies on the Dirichlet split have the devices' learning rate that is FedAvg's best.
 */
const CHOSEN = {
  iid: 0.2,
  shards: 0.1,
  dirichlet: 0.2,
  fedProxMu: 0.003,
  fedAdam: 0.015,
  fedYogi: 0.015,
} as const;
const GRIDS = {
  iid: [0.05, 0.1, 0.2],
  shards: [0.05, 0.1],
  dirichlet: [0.05, 0.1, 0.2, 0.4],
  fedProxMu: [0.0003, 0.001, 0.003, 0.01, 0.03],
  fedAdam: [0.003, 0.01, 0.015, 0.03],
  fedYogi: [0.003, 0.01, 0.015, 0.03],
} as const satisfies Record<keyof typeof CHOSEN, readonly number[]>;
type Tuned = keyof typeof CHOSEN;

/** Accuracies of so many last rounds are averaged where strategies are compared: a single one is noise. */
const LAST = 10;

type Common = Pick<FedAvgOptions, "data" | "devices" | "epochs" | "batchSize">;
type Particular = Omit<FedAvgOptions, keyof Common>;

/** FedAvg as in McMahan et al. 2017, section 3, and other strategies beside it, by the simulator. */
const fedavg: Benchmark = {
  name: "fedavg",
  summary:
    "Rounds to 97 % of FedAvg's 2NN on MNIST (E = 1, B = 10), beside the paper's; FedProx, FedAdam and FedYogi beside FedAvg on Dirichlet(0.1).",
  usage: `[--dataset DIR] [--only ${PARTS.join(",")}] [--rounds 1000] [--secure-rounds 120] [--strategy-rounds 40] [--tune ${Object.keys(CHOSEN).join("|")}] [--tune-rounds 20]`,
  async run({ args, log }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        dataset: { type: "string" },
        only: { type: "string", default: PARTS.join(",") },
        rounds: { type: "string", default: "1000" },
        "secure-rounds": { type: "string", default: "120" },
        "strategy-rounds": { type: "string", default: "40" },
        tune: { type: "string" },
        "tune-rounds": { type: "string", default: "20" },
      },
    });
    const mnist = dataFolder("datasets/mnist");
    const folder = values.dataset === undefined ? mnist.path : resolve(values.dataset);
    if (values.dataset === undefined && mnist.missing !== undefined) {
      throw new Error(`${mnist.missing}, or give --dataset DIR: a folder of IDX files`);
    }
    const common: Common = { data: await openMnist(folder), devices: 100, epochs: 1, batchSize: 10 };
    const run = (title: string, options: Particular): Promise<FedAvgRun> => {
      log(title);
      return runFedAvg({
        ...common,
        ...options,
        onRound: ({ round, accuracy, trainLoss }) =>
          log(
            `  round ${String(round).padStart(4)}  accuracy ${accuracy?.toFixed(4)}  training loss ${trainLoss?.toFixed(4)}`,
          ),
      });
    };
    if (values.tune !== undefined) return tuned(values.tune, Number(values["tune-rounds"]), run);

    const parts = values.only.split(",") as Part[];
    const unknown = parts.find((part) => !PARTS.includes(part));
    if (unknown !== undefined) throw new Error(`--only: one of ${PARTS.join(", ")}, got ${unknown}`);
    const results: Record<string, unknown> = {
      paperRounds: PAPER,
      chosen: CHOSEN,
      curves: publishedCurves(),
    };
    const figures: Record<string, number> = {};
    const verdicts: string[] = [];
    const toTarget = async (part: "iid" | "shards", figure: keyof typeof ALLOWED): Promise<void> => {
      const partition = part === "iid" ? "iid" : "shards:2";
      const learningRate = CHOSEN[part];
      const done = await run(`${partition}, C = 0.1, learning rate ${learningRate}, plain aggregation`, {
        partition,
        fraction: 0.1,
        learningRate,
        rounds: Number(values.rounds),
        target: TARGET,
      });
      results[part] = { aggregation: "plain", partition, fraction: 0.1, learningRate, ...done };
      figures[figure] = done.roundsToTarget ?? Number.NaN;
      figures[`${part}Accuracy`] = done.curve.at(-1)!.accuracy;
      verdicts.push(
        verdictOf(
          (done.roundsToTarget ?? Infinity) <= ALLOWED[figure],
          `${figure} ${done.roundsToTarget ?? `not within ${values.rounds}`} <= ${ALLOWED[figure]} (the paper's ${PAPER[part]})`,
        ),
      );
    };
    if (parts.includes("iid")) await toTarget("iid", "roundsTo97Iid");
    if (parts.includes("shards")) await toTarget("shards", "roundsTo97Shards");
    if (parts.includes("secure")) {
      const learningRate = CHOSEN.iid;
      const done = await run(`iid, C = 0.2, learning rate ${learningRate}, secure aggregation`, {
        partition: "iid",
        fraction: 0.2,
        learningRate,
        rounds: Number(values["secure-rounds"]),
        target: TARGET,
        secure: true,
      });
      results.secure = { aggregation: "secure", partition: "iid", fraction: 0.2, learningRate, ...done };
      figures.roundsTo97IidSecure = done.roundsToTarget ?? Number.NaN;
      figures.secureAccuracy = done.curve.at(-1)!.accuracy;
    }
    if (parts.includes("dirichlet")) {
      const rounds = Number(values["strategy-rounds"]);
      const runs: Record<string, FedAvgRun> = {};
      for (const [name, options] of Object.entries(strategies(CHOSEN))) {
        runs[name] = await run(`dirichlet:0.1, ${name}, plain aggregation`, { ...options, rounds });
        figures[`${name}Dirichlet`] = lastAccuracy(runs[name]);
      }
      results.dirichlet = { aggregation: "plain", rounds, runs };
      const fedAvg = lastAccuracy(runs.fedAvg!);
      // Of an accuracy on so many examples: what lies closer is not told apart by it.
      const error = Math.sqrt((fedAvg * (1 - fedAvg)) / (common.data.heldOut?.count ?? Infinity));
      for (const [name, other] of Object.entries(runs)) {
        if (name === "fedAvg") continue;
        const accuracy = lastAccuracy(other);
        verdicts.push(
          verdictOf(
            accuracy >= fedAvg - error,
            `${name} ${accuracy.toFixed(4)} no worse than fedAvg ${fedAvg.toFixed(4)} after ${rounds} rounds, to a standard error of ${error.toFixed(4)}`,
          ),
        );
      }
    }
    return { results, figures, verdicts };
  },
};
export default fedavg;

/** What is compared on a Dirichlet(0.1) split. */
function strategies(chosen: Readonly<Record<Tuned, number>>): Record<string, Omit<Particular, "rounds">> {
  const same = { partition: "dirichlet:0.1", fraction: 0.1, learningRate: chosen.dirichlet };
  return {
    fedAvg: same,
    fedProx: { ...same, proximalTerm: chosen.fedProxMu },
    fedAdam: { ...same, strategy: { name: "fedAdam", parameters: { learningRate: chosen.fedAdam } } },
    fedYogi: { ...same, strategy: { name: "fedYogi", parameters: { learningRate: chosen.fedYogi } } },
  };
}

/** The values of a grid after some rounds. */
async function tuned(
  what: string,
  rounds: number,
  run: (title: string, options: Particular) => Promise<FedAvgRun>,
) {
  if (!Object.hasOwn(GRIDS, what)) {
    throw new Error(`--tune: one of ${Object.keys(GRIDS).join(", ")}, got ${what}`);
  }
  const name = what as Tuned;
  const accuracies: Record<string, number> = {};
  for (const value of GRIDS[name]) {
    const compared = strategies({ ...CHOSEN, [name]: value });
    const options: Omit<Particular, "rounds"> = {
      iid: { partition: "iid", fraction: 0.1, learningRate: value },
      shards: { partition: "shards:2", fraction: 0.1, learningRate: value },
      dirichlet: compared.fedAvg!,
      fedProxMu: compared.fedProx!,
      fedAdam: compared.fedAdam!,
      fedYogi: compared.fedYogi!,
    }[name];
    accuracies[String(value)] = lastAccuracy(await run(`${name} ${value}`, { ...options, rounds }));
  }
  const [best] = Object.entries(accuracies).toSorted(([, a], [, b]) => b - a);
  return { results: { tuned: name, rounds, accuracies }, figures: { [name]: Number(best![0]) } };
}

/** Mean over the last rounds. */
function lastAccuracy({ curve }: FedAvgRun): number {
  const last = curve.slice(-LAST);
  return last.reduce((sum, { accuracy }) => sum + accuracy, 0) / last.length;
}

function verdictOf(met: boolean, what: string): string {
  return `${met ? "met" : "MISSED"}: ${what}`;
}

/** Published accuracy curves, to be drawn beside these; left out where they are not there. */
function publishedCurves(): unknown {
  const file = dataFolder("fl-curves/fedavg-mnist-flower.json");
  return file.missing === undefined ? (JSON.parse(readFileSync(file.path, "utf8")) as unknown) : null;
}
