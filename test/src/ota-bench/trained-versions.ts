import { buildFedAvgCnn, build2nn } from "@tributary/onnx";
import { parseTaskSpec } from "@tributary/protocol";
import {
  clientDataOf,
  parsePartition,
  simulate,
  type DataSet,
  type RoundRow,
  type SimulatedVersion,
} from "@tributary/simulator";

/** What is trained: all weights of a model, or adapters of it alone. */
export const KINDS = ["cnn", "2nn", "adapters"] as const;
export type Kind = (typeof KINDS)[number];

/** As in McMahan et al. 2017, section 3: 100 devices, a tenth of them in a round. */
const DEVICES = 100;
const COHORT = 10;
const BATCH_SIZE = 10;
/** Of McMahan's grids, by `bench fedavg --tune` for the 2NN; adapters take larger steps. */
const LEARNING_RATES: Readonly<Record<Kind, number>> = { cnn: 0.1, "2nn": 0.2, adapters: 0.2 };

export interface TrainOptions {
  readonly kind: Kind;
  readonly data: DataSet;
  readonly seed: string;
  readonly rounds: number;
  /** Where it begins; undefined: from a model drawn by the seed. */
  readonly from?: Uint8Array | undefined;
  /** Accuracy at which it may end; without one no version is measured. */
  readonly target?: number;
  readonly stepPrecision?: "int8" | "int4" | "float32";
  readonly onRound?: (row: RoundRow) => void;
  readonly onVersion?: (version: SimulatedVersion) => void;
}

export interface Trained {
  readonly model: Uint8Array<ArrayBuffer>;
  /** Of the last version, on MNIST's test images; NaN where it was not measured. */
  readonly accuracy: number;
  readonly roundsToTarget: number | null;
}

/** Rounds of real local training on MNIST, both halves of the protocol, in the simulator. */
export async function trainRounds(options: TrainOptions): Promise<Trained> {
  const { kind, data, seed, rounds, from, target, stepPrecision = "int8" } = options;
  const examples = Math.floor(data.train.table.count / DEVICES);
  const model = from ?? (kind === "2nn" ? build2nn({ seed }) : buildFedAvgCnn({ seed }));
  const result = await simulate({
    spec: parseTaskSpec({
      name: kind,
      model: kind,
      local: {
        epochs: 1,
        batchSize: BATCH_SIZE,
        learningRate: LEARNING_RATES[kind],
        maxExamples: examples,
        loopSteps: Math.ceil(examples / BATCH_SIZE),
      },
      ...(kind === "adapters" ? { adapters: { rank: 8 } } : {}),
      cohort: {
        goalCount: COHORT,
        minimumCount: COHORT,
        overSelection: 1,
        trainDeadlineMs: 3_600_000,
        reportDeadlineMs: 600_000,
      },
      secureAggregation: { mode: "off" },
      stepPrecision,
    }),
    model,
    data: clientDataOf(data.train, {
      spec: parsePartition("iid"),
      clients: DEVICES,
      seed,
      examplesPerClient: examples,
    }),
    heldOut: target === undefined ? undefined : data.heldOut,
    seed,
    rounds,
    targetAccuracy: target,
    onRound: (row) => options.onRound?.(row),
    onVersion: (version) => options.onVersion?.(version),
  });
  return {
    model: result.model,
    accuracy: result.rows.at(-1)?.accuracy ?? Number.NaN,
    roundsToTarget: result.roundsToTarget,
  };
}
