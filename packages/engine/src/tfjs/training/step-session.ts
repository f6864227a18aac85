import { failure, TributaryError } from "@tributary/core";
import * as tf from "@tensorflow/tfjs";
import { checkFeeds } from "../../check-feeds.ts";
import type { EngineName, Outputs, Session, SessionPort } from "../../engine.ts";
import { onBackend, type TfjsBackend } from "../backends.ts";
import { text } from "../failure-text.ts";
import { fromTfjs } from "../model.ts";
import { loadStep, type PlannedArtifact } from "./load-step.ts";
import { runStep } from "./run-step.ts";
import { fedTensors, inputsOf, outputsOf } from "./step-ports.ts";
import { registerTrainingKernels } from "./wasm-kernels.ts";

/**
 * A step of a plan behind the seam, as if it were a graph: weights, what the optimizer carries and a batch go in, the loss and the next
 * weights come out, and nothing is kept from run to run. So whatever trains by a graph trains by TensorFlow.js: its checkpoints, pauses
 * and aborts lie between batches. Rows of weight 0 at a batch's end are left out before anything is computed.
 *
 * @throws `engine/invalid-artifact` where the step does not fit the model
 */
export async function createStepSession(
  backend: TfjsBackend,
  artifact: PlannedArtifact,
  onDisposed: (session: Session) => void,
): Promise<Session> {
  if (backend === "wasm") registerTrainingKernels();
  const { step } = artifact;
  const loaded = await loadStep(artifact);
  const engine: EngineName = `tfjs-${backend}`;
  const inputPorts: readonly SessionPort[] = inputsOf(step);
  const outputPorts: readonly SessionPort[] = outputsOf(step);
  const outputs = outputPorts.map(({ name }) => name);
  let disposed: Promise<void> | undefined;

  const session: Session = {
    engine,
    inputs: inputPorts.map(({ name }) => name),
    outputs,
    inputPorts,
    outputPorts,
    async run(feeds, { outputs: asked = outputs, signal } = {}) {
      if (disposed !== undefined) {
        throw failure("engine/closed", `${engine}: run() after the session was disposed`);
      }
      checkFeeds(engine, inputPorts, outputs, feeds, asked);
      const work = async (): Promise<Outputs> => {
        const fed = fedTensors(step, feeds);
        let results: ReadonlyMap<string, tf.Tensor> = new Map();
        try {
          results = runStep(loaded, step, fed, new Set(asked));
          const read: Outputs = {};
          for (const name of asked) read[name] = await fromTfjs(name, results.get(name)!);
          return read;
        } catch (cause) {
          if (TributaryError.is(cause)) throw cause;
          throw failure("engine/run-failed", `${engine}: the step failed: ${text(cause)}`, { cause });
        } finally {
          tf.dispose([...fed.values(), ...results.values()]);
        }
      };
      return await onBackend(backend, work, signal);
    },
    [Symbol.asyncDispose]() {
      disposed ??= onBackend(backend, async () => void loaded.model.dispose())
        .catch(() => undefined)
        .then(() => onDisposed(session));
      return disposed;
    },
  };
  return session;
}
