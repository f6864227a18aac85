/** Local evaluation: what a training did to examples that it did not see, and whether its update is fit to be sent. */
import { failure, seededRandom } from "@tributary/core";
import type { Session } from "@tributary/engine";
import {
  measureLoss,
  shuffledOrder,
  type BatchCut,
  type MeasuredLoss,
  type TrainingPace,
  type TrainingState,
  type TrainResult,
} from "@tributary/engine/training";
import type { TrainingGraphDocument } from "@tributary/protocol";
import { sameShape, type ParameterSet, type Tensor } from "@tributary/tensor";
import type { HeldBackMeasurement } from "../runtime.ts";
import type { StoredExample } from "../store/device-store.ts";

/** A loss that grew so many times, and by more than 1, exploded. */
const EXPLOSION_FACTOR = 10;

interface Split {
  /** To train on. */
  readonly examples: readonly StoredExample[];
  readonly heldBack: readonly StoredExample[];
}

/** @param share 0: nothing is left out, as where there are too few */
export function split(all: readonly StoredExample[], share: number, seed: string): Split {
  const count = Math.floor(share * all.length);
  if (count === 0) return { examples: all, heldBack: [] };
  const order = shuffledOrder(all.length, seededRandom(seed).fork("held back"));
  return {
    heldBack: order.slice(0, count).map((index) => all[index]!),
    examples: order.slice(count).map((index) => all[index]!),
  };
}

export type Measure = (trained?: Readonly<Record<string, Tensor>>) => Promise<MeasuredLoss | undefined>;

/** Measures weights on what was left out; undefined where nothing was. */
export function measuring(options: {
  readonly session: Session;
  readonly spec: TrainingGraphDocument;
  readonly base: ParameterSet;
  readonly examples: readonly StoredExample[];
  readonly pace: TrainingPace;
  readonly cut?: BatchCut | undefined;
  readonly signal: AbortSignal;
}): Measure {
  const order = options.examples.map((_, index) => index);
  return async (trained) =>
    order.length === 0 ? undefined : await measureLoss({ ...options, order, trained });
}

export function heldBackFacts(
  examples: number,
  before: MeasuredLoss | undefined,
  after: MeasuredLoss | undefined,
  noHits: boolean,
): { readonly heldBack?: HeldBackMeasurement } {
  if (before === undefined || after === undefined) return {};
  return {
    heldBack: {
      examples,
      lossBefore: before.loss,
      lossAfter: after.loss,
      accuracyBefore: noHits ? null : before.accuracy,
      accuracyAfter: noHits ? null : after.accuracy,
    },
  };
}

/**
 * An update that makes the device's own examples much worse helps nobody: it is not sent, and the coordinator hears the code.
 *
 * @throws `federation/training-diverged`
 */
export function requireNoExplosion(
  { firstLoss, lossSum, numExamples, steps }: TrainResult,
  before: MeasuredLoss | undefined,
  after: MeasuredLoss | undefined,
): void {
  const from = before?.loss ?? firstLoss;
  const to = after?.loss ?? lossSum / numExamples;
  if (Number.isFinite(to) && !(to > EXPLOSION_FACTOR * from && to > from + 1)) return;
  const what = after === undefined ? "of the training" : "on examples that were held back";
  throw failure(
    "federation/training-diverged",
    `learner: the loss ${what} went from ${from} to ${to} in ${steps} steps, more than ${EXPLOSION_FACTOR} times; nothing is sent`,
    { detail: { steps, lossBefore: from, lossAfter: String(to) } },
  );
}

/** Whether a state is of this form of the graph. */
export function fits({ parameters, state = [] }: TrainingGraphDocument, { carried }: TrainingState): boolean {
  const wanted = [...parameters, ...state];
  return (
    Object.keys(carried).length === wanted.length &&
    wanted.every(({ input, shape }) => {
      const own = carried[input];
      return own?.dtype === "float32" && sameShape(own.shape, shape);
    })
  );
}
