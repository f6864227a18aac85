import { parentPort } from "node:worker_threads";
import { failure, toFailure } from "@tributary/core";
import { readExampleTable } from "@tributary/engine/examples";
import { simulate, type RoundRow } from "@tributary/simulator";
import type { EstimateJob, EstimateNews } from "./estimate-messages.ts";
import { simulatedExamples } from "./simulated-examples.ts";
import { summarized } from "./summarize.ts";

// A worker thread: plays the rounds of a task among simulated devices, beside the event loop. It is ended to cancel it.

const port = parentPort;
if (port === null) throw new TypeError("estimate-worker: to be started as a worker thread");

/** The same task and the same assumptions give the same figures, as far as time allows. */
const SEED = "estimate";
/** More would be no better known. */
const MOST_ROUNDS = 2_000;
/** Threads that train beside this one: the coordinator has other things to do. */
const THREADS = 1;
const OVER = Symbol("the time is over");

port.once("message", (job: EstimateJob) => {
  const tell = (news: EstimateNews): void => port.postMessage(news);
  estimate(job, tell).catch((error: unknown) => {
    const { code, message } = toFailure(error);
    tell({ type: "failed", code, message });
  });
});

async function estimate(job: EstimateJob, tell: (news: EstimateNews) => void): Promise<void> {
  const { spec, request } = job;
  const { goal, budgetSeconds } = request;
  const began = performance.now();
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(OVER), budgetSeconds * 1000);
  const { data, heldOut, source, drawnAgain } = simulatedExamples(job, SEED);
  const rows: RoundRow[] = [];
  const before = process.threadCpuUsage();
  try {
    await simulate({
      // Its own data set lies at the coordinator; what is held out here takes its place.
      spec: { ...spec, evaluation: { ...spec.evaluation, dataset: null } },
      model: job.model,
      data,
      heldOut,
      trusted: job.trusted === null ? undefined : readExampleTable(job.trusted),
      seed: SEED,
      fleet: {
        dropout: request.fleet.dropout,
        stepMs: request.fleet.stepMs,
        downlinkMbps: request.fleet.downlinkMbps,
        uplinkMbps: request.fleet.uplinkMbps,
      },
      rounds: Math.min(spec.rounds ?? MOST_ROUNDS, MOST_ROUNDS),
      ...(goal.accuracy === null || source === "random" ? {} : { targetAccuracy: goal.accuracy }),
      threads: THREADS,
      signal: ending.signal,
      onRound(row) {
        rows.push(row);
        const { clockSeconds, accuracy } = row;
        const rounds = rows.filter(({ version }) => version !== null).length;
        tell({ type: "progress", progress: { rounds, clockSeconds, accuracy } });
        if (clockSeconds >= goal.minutes * 60) ending.abort(OVER);
      },
    });
  } catch (error) {
    if (error !== OVER) throw error;
  } finally {
    clearTimeout(timer);
  }
  if (rows.length === 0)
    throw failure(
      "coordinator/estimate-without-round",
      `estimate: no round ended within ${((performance.now() - began) / 1000).toFixed(1)} of ${budgetSeconds} s of this machine's time; give it more, or fewer devices in the cohort`,
      { detail: { budgetSeconds } },
    );
  const { user, system } = process.threadCpuUsage(before);
  const simulated = { rounds: rows, data: source, drawnAgain, cpuSeconds: (user + system) / 1e6 };
  tell({ type: "done", result: summarized(simulated, request, spec) });
}
