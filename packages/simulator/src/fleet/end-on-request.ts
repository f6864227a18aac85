import type { Worker } from "node:worker_threads";
import type { ToFleetWorker } from "./fleet-messages.ts";

const CLOSE_GRACE_MS = 1_500;

/**
 * How to end a thread: it is asked to close, and terminated where it does not. A thread that ended by itself before,
 * as after an uncaught error, is noticed: its "exit" comes only once.
 */
export function endOnRequest(worker: Worker): () => Promise<void> {
  const exited = new Promise<void>((resolve) => worker.once("exit", () => resolve()));
  return async () => {
    worker.postMessage({ type: "close" } satisfies ToFleetWorker);
    const grace = setTimeout(() => void worker.terminate(), CLOSE_GRACE_MS);
    await exited;
    clearTimeout(grace);
  };
}
