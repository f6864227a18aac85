import * as tf from "@tensorflow/tfjs";
import { failure } from "@tributary/core";
import { createRunQueue } from "../run-queue.ts";

/** What computes: a GPU, WASM with SIMD on one thread, or plain JavaScript. */
export type TfjsBackend = "webgpu" | "wasm" | "cpu";

/** Where the three .wasm files of the WASM backend lie: a prefix, or the URL of each by its name. */
export type TfjsWasmPaths = string | Readonly<Record<string, string>>;

/** TensorFlow.js has one backend at a time in a realm: whatever computes waits for its turn and says on which. */
const turns = createRunQueue();

/** Runs work on a backend, one after the other. Aborts as {@link createRunQueue} says. */
export function onBackend<T>(backend: TfjsBackend, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  return turns.run(async () => {
    await tf.setBackend(backend);
    return await work();
  }, signal);
}

/**
 * Loads what a backend needs, and starts it.
 *
 * @throws `engine/unavailable` where it cannot run here
 */
export async function startBackend(
  backend: TfjsBackend,
  wasmPaths: TfjsWasmPaths | undefined,
): Promise<void> {
  tf.env().set("PROD", true);
  try {
    if (backend === "wasm") await prepareWasm(wasmPaths);
    if (backend === "webgpu") await import("@tensorflow/tfjs-backend-webgpu");
    const started = await turns.run(() => tf.setBackend(backend));
    if (!started) throw new Error("it did not start");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw failure("engine/unavailable", `tfjs-${backend}: the backend cannot run here: ${reason}`, { cause });
  }
}

async function prepareWasm(wasmPaths: TfjsWasmPaths | undefined): Promise<void> {
  const wasm = await import("@tensorflow/tfjs-backend-wasm");
  if (wasmPaths === undefined) {
    throw new Error("say where its .wasm files lie: wasmPaths");
  }
  // Its threads are made from the text of a function, which no minified build survives.
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  wasm.setWasmPaths(wasmPaths as Parameters<typeof wasm.setWasmPaths>[0]);
}
