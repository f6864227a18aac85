/** The graphs of one kind of adapters, open: what weights make of examples, and how they are trained. */
import { failure } from "@tributary/core";
import { measureLoss, train, type TrainingPace, type TrainProgress } from "@tributary/engine/training";
import {
  layoutOfParameters,
  type AdapterKind,
  type PersonalAdapters,
  type Personalisation,
} from "@tributary/protocol";
import { elementCount, tensor, type ParameterSet, type Tensor } from "@tributary/tensor";
import type { SeededRandom } from "@tributary/core";
import type { EngineProvider, SessionLease } from "../engine-provider.ts";
import type { MicroBatches } from "../participation/micro-batches.ts";
import type { StoredExample } from "../store/device-store.ts";
import type { Releases } from "../updater/releases.ts";
import { trainedValues } from "./bound-weights.ts";
import type { PersonalMeasurement } from "./personalisation.ts";
import type { PersonalRecord } from "./personal-weights.ts";

export interface AdapterTrainingOptions {
  readonly engines: EngineProvider;
  readonly releases: Pick<Releases, "fetchTarget" | "target">;
  readonly microBatches: MicroBatches;
  readonly pace: TrainingPace;
  readonly document: Personalisation;
  readonly adapters: AdapterKind;
  /** Weights of the version that runs, as it runs them. */
  readonly base: ParameterSet;
  readonly signal: AbortSignal;
}

export interface AdapterTraining {
  readonly engine: SessionLease["engine"];
  /** Of the version's own weights, or with changes. */
  measure(
    examples: readonly StoredExample[],
    changes?: PersonalRecord["changes"],
  ): Promise<PersonalMeasurement>;
  train(options: {
    readonly examples: readonly StoredExample[];
    readonly epochs: number;
    readonly learningRate: number;
    readonly random: SeededRandom;
    readonly onProgress: (progress: TrainProgress) => void;
  }): Promise<{ readonly changes: PersonalRecord["changes"]; readonly steps: number }>;
  close(): Promise<void>;
}

/** Most examples of a training: a random part of more. */
const MAX_EXAMPLES = 1000;

/** The adapters that were asked for, or those that there are. @throws `runtime/not-personalisable` */
export function chosenAdapters(
  { model, head, lowRank }: Personalisation,
  asked: AdapterKind | undefined,
): { readonly kind: AdapterKind; readonly adapters: PersonalAdapters } {
  const kind = asked ?? (head === undefined ? "low-rank" : "head");
  const adapters = kind === "head" ? head : lowRank;
  if (adapters !== undefined) return { kind, adapters };
  throw failure(
    "runtime/not-personalisable",
    `personalise: "${model}" was published with${kind === "head" ? " low-rank adapters alone" : " its last layer alone"}, asked for "${kind}"`,
    { detail: { model, adapters: kind } },
  );
}

/** Waits for its turn: one training at a time on a device. */
export async function openAdapterTraining(options: AdapterTrainingOptions): Promise<AdapterTraining> {
  const { engines, releases, microBatches, pace, document, base, signal } = options;
  const { training } = chosenAdapters(document, options.adapters).adapters;
  const { spec, target } = training;
  const { sha256: key } = await releases.target(target, signal);
  const lease = await engines.openTraining({
    key,
    format: "onnx",
    model: () => releases.fetchTarget(target, { signal }),
    sample: () => ({}),
    signal,
  });
  try {
    const plan = { task: `personal ${document.model}`, local: { batchSize: document.batchSize }, training };
    const cutting = await microBatches.open(plan, lease, signal);
    const { cut } = cutting;
    const { session } = lease;
    return {
      engine: lease.engine,
      async measure(examples, changes) {
        const { loss, accuracy } = await measureLoss({
          session,
          spec,
          base,
          trained: changes && trainedValues(spec, base, changes),
          examples,
          order: examples.map((_, i) => i),
          pace,
          cut,
          signal,
        });
        return { loss, accuracy: spec.noHits === true ? null : accuracy };
      },
      async train({ examples, epochs, learningRate, random, onProgress }) {
        const layout = layoutOfParameters(spec.parameters.map(({ name, shape }) => ({ name, shape })));
        const { update, steps } = await train({
          session,
          spec,
          layout,
          base,
          examples,
          epochs,
          learningRate,
          maxExamples: MAX_EXAMPLES,
          random,
          signal,
          pace,
          cut,
          onProgress,
        });
        return { changes: changesOf(spec.parameters, update), steps };
      },
      async close() {
        await cutting.close();
        await lease.release();
      },
    };
  } catch (error) {
    await lease.release();
    throw error;
  }
}

function changesOf(
  parameters: readonly { readonly name: string; readonly shape: readonly number[] }[],
  update: Float32Array<ArrayBuffer>,
): ReadonlyMap<string, Tensor> {
  let at = 0;
  return new Map(
    parameters.map(({ name, shape }) => {
      const size = elementCount(shape);
      return [name, tensor("float32", [...shape], update.slice(at, (at += size)))];
    }),
  );
}
