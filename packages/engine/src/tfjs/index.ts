/** TensorFlow.js behind the Engine seam, for apps that have a model of it. */
import * as tf from "@tensorflow/tfjs";
import { failure, throwIfAborted, TributaryError } from "@tributary/core";
import type { Engine, Session } from "../engine.ts";
import { onBackend, startBackend, type TfjsBackend, type TfjsWasmPaths } from "./backends.ts";
import { readTfjsArtifact } from "./artifact.ts";
import { text } from "./failure-text.ts";
import { loadTfjsModel } from "./model.ts";
import { createTfjsSession } from "./session.ts";

export type { TfjsBackend, TfjsWasmPaths } from "./backends.ts";
export { packTfjs, type PackTfjsOptions } from "./pack.ts";

export interface TfjsEngineOptions {
  /** @defaultValue "cpu", which runs everywhere, and is 10 to 350 times slower than the others */
  readonly backend?: TfjsBackend;
  /** Needed for "wasm": the folder `wasm-out/` of @tensorflow/tfjs-backend-wasm, as it is served or lies on the disk. */
  readonly wasmPaths?: TfjsWasmPaths;
}

/**
 * An engine for the artifacts of {@link packTfjs}, LayersModels and GraphModels, and for the steps that plans make of LayersModels. All
 * engines of a realm run one after the other, as
 * TensorFlow.js has one backend at a time.
 *
 * @throws `engine/unavailable` where the backend cannot run here
 */
export async function createTfjsEngine(options: TfjsEngineOptions = {}): Promise<Engine> {
  const { backend = "cpu", wasmPaths } = options;
  await startBackend(backend, wasmPaths);
  const name = `tfjs-${backend}` as const;
  const sessions = new Set<Session>();
  let closed: Promise<void> | undefined;
  return {
    name,
    async load(model, { signal } = {}) {
      throwIfAborted(signal);
      if (closed !== undefined) throw failure("engine/closed", `${name}: load() after close()`);
      const session = await onBackend(backend, async () => {
        try {
          const onDisposed = (ended: Session): void => void sessions.delete(ended);
          const { step, ...artifact } = readTfjsArtifact(model);
          if (step === undefined)
            return createTfjsSession(backend, await loadTfjsModel(artifact), onDisposed);
          // Only devices that learn or measure load it.
          const { createStepSession } = await import("./training/step-session.ts");
          return await createStepSession(backend, { ...artifact, step }, onDisposed);
        } catch (cause) {
          const why = TributaryError.is(cause) ? cause.message : text(cause);
          throw failure("engine/load-failed", `${name}: the model could not be loaded: ${why}`, { cause });
        }
      });
      sessions.add(session);
      if (signal?.aborted === true || closed !== undefined) {
        await session[Symbol.asyncDispose]();
        throwIfAborted(signal);
        throw failure("engine/closed", `${name}: closed while a model was loading`);
      }
      return session;
    },
    close() {
      closed ??= Promise.all([...sessions].map((session) => session[Symbol.asyncDispose]())).then(
        () => undefined,
      );
      return closed;
    },
  };
}

/** Version of TensorFlow.js. */
export const TFJS_VERSION: string = tf.version["tfjs"] ?? "";

/** Tensors that TensorFlow.js holds in this realm: a number that must not grow from run to run. */
export function tfjsTensors(): number {
  return tf.memory().numTensors;
}
