import { failure, TributaryError } from "@tributary/core";
import type { GraphPort } from "@tributary/protocol";
import * as tf from "@tensorflow/tfjs";
import { checkFeeds } from "../check-feeds.ts";
import type { EngineName, Outputs, Session, SessionPort } from "../engine.ts";
import { onBackend, type TfjsBackend } from "./backends.ts";
import { text } from "./failure-text.ts";
import { fromTfjs, toTfjs, type TfjsModel } from "./model.ts";

/** A model of TensorFlow.js behind the seam: checks, turns on the one backend, memory, disposal. */
export function createTfjsSession(
  backend: TfjsBackend,
  loaded: TfjsModel,
  onDisposed: (session: Session) => void,
): Session {
  const engine: EngineName = `tfjs-${backend}`;
  const { model } = loaded;
  const inputPorts = model.inputs.map(portOf);
  const outputPorts = model.outputs.map(portOf);
  const inputs = inputPorts.map(({ name }) => name);
  const outputs = outputPorts.map(({ name }) => name);
  let disposed: Promise<void> | undefined;

  const session: Session = {
    engine,
    inputs,
    outputs,
    inputPorts,
    outputPorts,
    async run(feeds, { outputs: asked, signal } = {}) {
      if (disposed !== undefined) {
        throw failure("engine/closed", `${engine}: run() after the session was disposed`);
      }
      checkFeeds(engine, inputPorts, outputs, feeds, asked);
      const wanted = asked ?? outputs;
      return await onBackend(
        backend,
        async () => {
          const given: tf.Tensor[] = [];
          let results: readonly tf.Tensor[] = [];
          try {
            for (const name of inputs) given.push(toTfjs(name, feeds[name]!));
            results = await loaded.run(given, wanted);
            const named: Outputs = {};
            for (const [i, name] of wanted.entries()) named[name] = await fromTfjs(name, results[i]!);
            return named;
          } catch (cause) {
            if (TributaryError.is(cause)) throw cause;
            throw failure("engine/run-failed", `${engine}: the run failed: ${text(cause)}`, { cause });
          } finally {
            tf.dispose([...given, ...results]);
          }
        },
        signal,
      );
    },
    [Symbol.asyncDispose]() {
      disposed ??= onBackend(backend, async () => loaded.dispose())
        .catch(() => undefined)
        .then(() => onDisposed(session));
      return disposed;
    },
  };
  return session;
}

function portOf({ name, dtype, shape }: GraphPort): SessionPort {
  return { name, dtype, shape: shape.map((size) => (size < 0 ? null : size)) };
}
