/** Where a local training stands, kept so that a tab that is killed goes on with it. */
import { toFailure, type Clock, type Env, type Logger, type ModelName, type TaskName } from "@tributary/core";
import type { TrainingState } from "@tributary/engine/training";
import { readSafetensors, writeSafetensors } from "@tributary/tensor";
import { trainingPrefix } from "../examples/training-prefix.ts";
import { createSealing, type Sealing } from "../examples/sealing.ts";
import type { DeviceStore } from "../store/device-store.ts";

export interface CheckpointsOptions {
  readonly store: Pick<DeviceStore, "learned" | "examplesKey" | "needsExtractableKeys">;
  readonly env: Pick<Env, "clock" | "random" | "log">;
}

/** A training as it was begun: where it has to be the same for a state to be of use. */
export interface CheckpointOf {
  readonly model: ModelName;
  readonly task: TaskName;
  /** Of plan, graph, base weights, learning rate and examples. */
  readonly fingerprint: string;
}

export interface Checkpoint {
  /** Of the order of examples and dropout: that of the training that goes on, or the new one. */
  readonly seed: string;
  readonly resume: TrainingState | undefined;
  /**
   * Keeps a state. Writing goes on beside the training, and takes at most a tenth of the time, and a megabyte a second: a killed tab loses
   * at most one batch, or what is learned between two writes where that is more.
   */
  save(state: TrainingState): void;
  /** Settles when nothing is being written. */
  settled(): Promise<void>;
}

export interface Checkpoints {
  open(of: CheckpointOf, newSeed: string): Promise<Checkpoint>;
}

/** A write may take one part in so many of the time. */
const TIMES_WRITE = 10;
/** A training that is over sooner is made again as quickly. */
const FIRST_MS = 200;
/** What a guest may write to somebody's disk while it trains. */
const BYTES_PER_SECOND = 1_000_000;
const NUMBERS = ["epoch", "position", "step", "lossSum", "correct", "firstLoss"] as const;

export function createCheckpoints({ store, env }: CheckpointsOptions): Checkpoints {
  const sealing = createSealing(store, env.random);
  return {
    async open(of, newSeed) {
      const name = trainingPrefix(of.model) + of.task;
      const kept = await readKept(store, sealing, name, of.fingerprint).catch((error: unknown) => {
        env.log.warn("a checkpoint cannot be read; the training begins anew", { error: toFailure(error) });
        return undefined;
      });
      const seed = kept?.seed ?? newSeed;
      const write = async (state: TrainingState): Promise<number> => {
        const sealed = await sealing.seal(name, encodeState(state, seed, of.fingerprint));
        await store.learned.write(name, sealed);
        return sealed.length;
      };
      return { seed, resume: kept?.state, ...createWriter(write, env.clock, env.log) };
    },
  };
}

function createWriter(
  write: (state: TrainingState) => Promise<number>,
  clock: Pick<Clock, "monotonicMs">,
  log: Logger,
): Pick<Checkpoint, "save" | "settled"> {
  let writing: Promise<void> | undefined;
  let nextAtMs = clock.monotonicMs() + FIRST_MS;
  return {
    save(state) {
      const startedAtMs = clock.monotonicMs();
      if (writing !== undefined || startedAtMs < nextAtMs) return;
      writing = write(state)
        .catch((error: unknown) => {
          log.warn("a checkpoint was not kept", { error: toFailure(error) });
          return 0;
        })
        .then((bytes) => {
          writing = undefined;
          const takenMs = clock.monotonicMs() - startedAtMs;
          nextAtMs = startedAtMs + Math.max(TIMES_WRITE * takenMs, (1000 * bytes) / BYTES_PER_SECOND);
        });
    },
    settled: async () => await writing,
  };
}

interface Kept {
  readonly seed: string;
  readonly state: TrainingState;
}

async function readKept(
  store: Pick<DeviceStore, "learned">,
  sealing: Sealing,
  name: string,
  fingerprint: string,
): Promise<Kept | undefined> {
  const sealed = await store.learned.read(name);
  if (sealed === undefined) return undefined;
  try {
    const { tensors, metadata } = readSafetensors(await sealing.open(name, sealed));
    const { seed, ...told } = metadata;
    if (told["fingerprint"] === fingerprint && seed !== undefined) {
      const numbers = Object.fromEntries(NUMBERS.map((each) => [each, Number(told[each])]));
      const state = { ...numbers, carried: Object.fromEntries(tensors) } as unknown as TrainingState;
      return { seed, state };
    }
  } catch (error) {
    await store.learned.delete(name);
    throw error;
  }
  // Of another round, or other examples.
  await store.learned.delete(name);
  return undefined;
}

function encodeState(state: TrainingState, seed: string, fingerprint: string): Uint8Array<ArrayBuffer> {
  const numbers = Object.fromEntries(NUMBERS.map((each) => [each, String(state[each])]));
  return writeSafetensors(Object.entries(state.carried), { ...numbers, seed, fingerprint });
}
