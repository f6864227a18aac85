import { parentPort } from "node:worker_threads";
import { sumOfMasks } from "@tributary/secagg";
import { openNodeSecAggCrypto } from "@tributary/secagg/node";
import type { UnmaskAnswer, UnmaskJob } from "./unmask-messages.ts";

// A worker thread: masks of one part of a cohort at a time.

const port = parentPort;
if (port === null) throw new TypeError("unmask-worker: to be started as a worker thread");
const crypto = openNodeSecAggCrypto();

port.on("message", (job: UnmaskJob) => {
  sumOfMasks(crypto, job, { onProgress: (done) => answer({ type: "progress", done }) }).then(
    (sum) => answer({ type: "sum", sum }, [sum.buffer]),
    (error: unknown) => answer({ type: "failed", message: String(error) }),
  );
});

function answer(message: UnmaskAnswer, transfer: readonly ArrayBuffer[] = []): void {
  port!.postMessage(message, [...transfer]);
}
