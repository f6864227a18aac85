import type { Worker } from "node:worker_threads";
import type { ToFleetWorker } from "./fleet-messages.ts";

/** Long: to terminate a thread while onnxruntime is at work in it ends the process. */
const CLOSE_GRACE_MS = 60_000;

/**
 * How to end a thread: it is asked to close, and terminated where it does not. A thread that ended by itself before,
 * as after an uncaught error, is noticed: its "exit" comes only once.
 */
export function endOnRequest(worker: Worker, graceMs = CLOSE_GRACE_MS): () => Promise<void> {
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  return async () => {
    worker.postMessage({ type: "close" } satisfies ToFleetWorker);
    const grace = setTimeout(() => void worker.terminate(), graceMs);
    await exited;
    clearTimeout(grace);
  };
}
