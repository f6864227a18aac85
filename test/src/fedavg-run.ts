import { build2nn } from "@tributary/onnx";
import { parseTaskSpec } from "@tributary/protocol";
import {
  clientDataOf,
  openDataSet,
  parsePartition,
  simulate,
  type DataSet,
  type RoundRow,
} from "@tributary/simulator";

/** The algorithm's letters are the paper's: K = devices, C = fraction, E = epochs, B = batchSize. */
export interface FedAvgOptions {
  readonly data: DataSet;
  readonly devices: number;
  readonly fraction: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly rounds: number;
  /** Accuracy at which the run may stop. */
  readonly target?: number;
  /** As the simulator's `--partition`. */
  readonly partition: string;
  readonly strategy?: { readonly name: string; readonly parameters: Readonly<Record<string, number>> };
  /** FedProx's mu. */
  readonly proximalTerm?: number;
  /** Whether updates are summed under masks. */
  readonly secure?: boolean;
  readonly onRound?: (row: RoundRow) => void;
}

export interface FedAvgRun {
  readonly curve: readonly {
    readonly round: number;
    readonly accuracy: number;
    readonly loss: number;
    readonly trainLoss: number;
  }[];
  /** The first round that reached the target, if one did. */
  readonly roundsToTarget: number | undefined;
  readonly modelDigest: string;
  readonly seconds: number;
}

const NAME = "fedavg";
const SEED = "7";

/** A folder of IDX files. @throws dataset/* */
export function openMnist(folder: string): Promise<DataSet> {
  return openDataSet(folder, { shape: { inputs: [], classes: true, labelSize: 1 }, seed: SEED });
}

/** McMahan et al. 2017 (FedAvg): the 2NN among simulated devices, both halves of the protocol. Repeatable to the bit. */
export async function runFedAvg(options: FedAvgOptions): Promise<FedAvgRun> {
  const { data, devices, fraction, rounds, secure = false, proximalTerm = null } = options;
  const cohort = Math.max(1, Math.round(devices * fraction));
  const examples = Math.floor(data.train.table.count / devices);
  const started = performance.now();
  const { rows, roundsToTarget, modelDigest } = await simulate({
    spec: parseTaskSpec({
      name: NAME,
      model: NAME,
      local: {
        epochs: options.epochs,
        batchSize: options.batchSize,
        learningRate: options.learningRate,
        maxExamples: examples,
        loopSteps: Math.ceil(examples / options.batchSize),
        proximalTerm,
      },
      cohort: {
        goalCount: cohort,
        minimumCount: cohort,
        overSelection: 1,
        trainDeadlineMs: 3_600_000,
        reportDeadlineMs: 600_000,
      },
      ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
      secureAggregation: secure ? { mode: "on" } : { mode: "off" },
    }),
    model: build2nn({ seed: NAME }),
    data: clientDataOf(data.train, {
      spec: parsePartition(options.partition),
      clients: devices,
      seed: SEED,
      examplesPerClient: examples,
    }),
    heldOut: data.heldOut,
    seed: SEED,
    rounds,
    targetAccuracy: options.target,
    onRound: (row) => options.onRound?.(row),
  });
  return {
    curve: rows.map(({ round, accuracy, loss, trainLoss }) => ({
      round,
      accuracy: accuracy ?? Number.NaN,
      loss: loss ?? Number.NaN,
      trainLoss: trainLoss ?? Number.NaN,
    })),
    roundsToTarget: roundsToTarget ?? undefined,
    modelDigest,
    seconds: (performance.now() - started) / 1000,
  };
}
