import { parentPort } from "node:worker_threads";
import { builtInStrategies, createStrategyRegistry } from "@tributary/aggregation";
import { toFailure } from "@tributary/core";
import { reproduceStep, type GatheredStep } from "@tributary/federation/aggregation";
import type { ReproduceAnswer } from "./reproducer.ts";

// A worker thread: takes one version's step again, beside the event loop.

const port = parentPort;
if (port === null) throw new TypeError("reproduce-worker: to be started as a worker thread");
const strategies = createStrategyRegistry(builtInStrategies);

port.on("message", (job: GatheredStep) => {
  const answer = (message: ReproduceAnswer): void => port.postMessage(message);
  reproduceStep(strategies, job).then(
    (result) => answer({ type: "reproduced", result }),
    (error: unknown) => {
      const { code, message } = toFailure(error);
      answer({ type: "failed", code, message });
    },
  );
});
