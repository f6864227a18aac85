import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import type { RoundRow } from "@tributary/simulator";
import type { Benchmark } from "../src/bench/benchmark.ts";
import { dataFolder } from "../src/data-folder.ts";
import { openMnist } from "../src/fedavg-run.ts";
import { adoptVersion } from "../src/fleet/adopt-version.ts";
import { applyInChromium } from "../src/ota-bench/apply-in-chromium.ts";
import { keptPieces } from "../src/ota-bench/kept-pieces.ts";
import { ReleaseMeter, type ReleaseSizes } from "../src/ota-bench/release-sizes.ts";
import {
  applyFigures,
  fleetFigures,
  otaVerdicts,
  penaltyFigures,
  sizeFigures,
  type PenaltyRuns,
} from "../src/ota-bench/report.ts";
import { KINDS, trainRounds, type Kind } from "../src/ota-bench/trained-versions.ts";

const PARTS = [...KINDS, "apply", "penalty", "fleet"] as const;
type Part = (typeof PARTS)[number];

const TARGET = 0.97;
/** Rounds after which the delta from the base is measured. */
const AFTER = [1, 5, 20] as const;
const TRIES = 30;

/** Updates of a release, in bytes and in the time a browser takes. */
const ota: Benchmark = {
  name: "ota",
  summary:
    "Bytes of a new version, whole and as a delta after 1, 5 and 20 rounds of MNIST; time to apply it in Chromium; what rounding steps costs; how soon a fleet has it.",
  usage: `[--only ${PARTS.join(",")}] [--bases 5] [--accuracy 0.98] [--rounds 20] [--seeds 3] [--max-rounds 150] [--devices 1000] [--keep FOLDER]`,
  async run({ args, log }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        only: { type: "string", default: PARTS.join(",") },
        bases: { type: "string", default: "5" },
        // Of a model that somebody runs, which is what devices hold when a version comes.
        accuracy: { type: "string", default: "0.98" },
        rounds: { type: "string", default: "20" },
        seeds: { type: "string", default: "3" },
        "max-rounds": { type: "string", default: "150" },
        devices: { type: "string", default: "1000" },
        keep: { type: "string" },
      },
    });
    const parts = values.only.split(",") as Part[];
    const unknown = parts.find((part) => !PARTS.includes(part));
    if (unknown !== undefined) throw new Error(`--only: some of ${PARTS.join(", ")}, got ${unknown}`);
    const [bases, rounds, seeds] = [Number(values.bases), Number(values.rounds), Number(values.seeds)];
    const maxRounds = Number(values["max-rounds"]);
    const baseAccuracy = Number(values.accuracy);
    const kept = keptPieces(values.keep);
    const results: Record<string, unknown> = {};
    const figures: Record<string, number> = {};
    if (parts.includes("fleet")) {
      const adoption = await adoptVersion({
        devices: Number(values.devices),
        processes: 4,
        loading: 24,
        seed: "ota",
        log: (line) => log(`  ${line}`),
      });
      results.fleet = { ...adoption, loadAverage: loadavg()[0] };
      Object.assign(figures, fleetFigures(adoption));
      if (parts.length === 1) return { results, figures, verdicts: otaVerdicts(figures) };
    }
    const mnist = dataFolder("datasets/mnist");
    if (mnist.missing !== undefined) throw new Error(mnist.missing);
    const data = await openMnist(mnist.path);

    /** Round by round, so that what was trained is not lost where a run is broken off. */
    const trainedBase = async (
      kind: "cnn" | "2nn",
      index: number,
    ): Promise<{ readonly model: Uint8Array; readonly accuracy: number }> => {
      let model: Uint8Array | undefined;
      for (let round = 1; round <= maxRounds; round++) {
        const piece = `${kind}-${index}.base-${round}`;
        const from = model;
        model = await kept.bytes(`${piece}.onnx`, async () => {
          const seed = `ota-${index} ${round}`;
          const options = { kind, data, seed: from === undefined ? `ota-${index}` : seed, rounds: 1, from };
          const trained = await trainRounds({ ...options, target: 1 });
          await kept.json(piece, async () => trained.accuracy);
          return trained.model;
        });
        const accuracy = await kept.json(piece, async () => Number.NaN);
        log(`  ${piece}: ${accuracy.toFixed(4)}`);
        if (accuracy >= baseAccuracy) return { model, accuracy };
      }
      throw new Error(`bench ota: ${kind} ${index} is not at ${baseAccuracy} after ${maxRounds} rounds`);
    };

    /** A base, and the rounds that follow it. */
    const measure = async (
      kind: Kind,
      index: number,
      last: number,
    ): Promise<{ readonly sizes: ReleaseSizes; readonly accuracy: number }> => {
      const piece = `${kind}-${index}`;
      const watch = (row: RoundRow) =>
        log(
          `  ${piece} round ${row.round}: ${row.accuracy?.toFixed(4) ?? `loss ${row.trainLoss?.toFixed(4)}`}`,
        );
      // Adapters are put on a model that was trained before.
      const pretrained = kind === "adapters" ? "cnn" : kind;
      const { model, accuracy } = await trainedBase(pretrained, index);
      const after = AFTER.filter((round) => round <= last);
      const sizes = await kept.json(`${piece}.after-${last}`, async () => {
        const meter = new ReleaseMeter(model, after);
        await trainRounds({
          kind,
          data,
          seed: `ota-${index} on`,
          rounds: last,
          from: model,
          onRound: watch,
          onVersion: (version) => meter.add(version),
        });
        const { sizes, pair } = meter.finish();
        for (const [i, bytes] of pair.entries()) await kept.bytes(`${piece}.int8.${i}`, async () => bytes);
        return sizes;
      });
      return { sizes, accuracy };
    };

    const roundsTo97 = (stepPrecision: "int8" | "float32", index: number): Promise<number> =>
      kept.json(`2nn-${index}.to-97.${stepPrecision}`, async () => {
        const title = `${stepPrecision} steps, seed ${index}`;
        const { roundsToTarget } = await trainRounds({
          kind: "2nn",
          data,
          seed: `penalty-${index}`,
          rounds: maxRounds,
          target: TARGET,
          stepPrecision,
          onRound: ({ round, accuracy }) => log(`  ${title}, round ${round}: ${accuracy?.toFixed(4)}`),
        });
        return roundsToTarget ?? Number.NaN;
      });

    for (const kind of KINDS) {
      if (!parts.includes(kind)) continue;
      const all: ReleaseSizes[] = [];
      const accuracies: number[] = [];
      for (let index = 0; index < bases; index++) {
        log(`  ${kind}: base ${index + 1} of ${bases}, and ${rounds} rounds`);
        const { sizes, accuracy } = await measure(kind, index, rounds);
        all.push(sizes);
        accuracies.push(accuracy);
      }
      results[kind] = { accuracies, sizes: all };
      Object.assign(figures, sizeFigures(kind, all, accuracies));
    }
    if (parts.includes("apply")) {
      // A pair is a base and its first round.
      await measure("cnn", 0, parts.includes("cnn") ? rounds : 1);
      const gone = (): Promise<never> => Promise.reject(new Error("bench ota: empty --keep's folder"));
      const pair = [await kept.bytes("cnn-0.int8.0", gone), await kept.bytes("cnn-0.int8.1", gone)] as const;
      const times = await applyInChromium(pair, TRIES);
      results.apply = times;
      Object.assign(figures, applyFigures(times));
    }
    if (parts.includes("penalty")) {
      const runs: PenaltyRuns = { int8: [], float32: [] };
      for (let index = 0; index < seeds; index++) {
        runs.float32.push(await roundsTo97("float32", index));
        runs.int8.push(await roundsTo97("int8", index));
      }
      results.penalty = runs;
      Object.assign(figures, penaltyFigures(runs));
    }
    return { results, figures, verdicts: otaVerdicts(figures) };
  },
};
export default ota;
