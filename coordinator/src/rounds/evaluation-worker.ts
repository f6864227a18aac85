import { parentPort } from "node:worker_threads";
import { failure, toFailure, type Digest } from "@tributary/core";
import type { Engine, Session } from "@tributary/engine";
import { evaluationResult, evaluationSums, type EvaluationResult } from "@tributary/engine/evaluation";
import { readExampleTable, type ExampleTable } from "@tributary/engine/examples";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { isTfjsArtifact } from "@tributary/engine/tfjs-artifact";
import { openInstalledTfjs } from "@tributary/engine/tfjs-node";
import { rootUpdate } from "@tributary/engine/training";
import type { ActivationRange } from "@tributary/onnx";
import { parameterSet } from "@tributary/tensor";
import type {
  EvaluationAnswer,
  EvaluationJob,
  EvaluationOutcome,
  EvaluationRequest,
  RangesRequest,
  RootUpdateJob,
} from "./evaluation.ts";
import { monotonicMs } from "../observability/tracing/span-clock.ts";
import { rowFeeds } from "./row-feeds.ts";

// A worker thread: graphs and data sets come once, weights with every job.

const port = parentPort;
if (port === null) throw new TypeError("evaluation-worker: to be started as a worker thread");
const engine = await createOrtNodeEngine();
let tfjs: Promise<Engine> | undefined;
const sessions = new Map<Digest, Session>();
const datasets = new Map<Digest, ExampleTable>();
const unusable = new Map<Digest, unknown>();
let tail: Promise<void> = Promise.resolve();
const closing = new AbortController();
const { signal } = closing;

port.on("message", (job: EvaluationJob) => {
  // It overtakes the jobs before it: these end at their next batch.
  if (job.type === "close") closing.abort(failure("core/closed", "evaluation: the thread is asked to end"));
  tail = tail.then(() => handle(job));
});

async function handle(job: EvaluationJob): Promise<void> {
  switch (job.type) {
    case "close":
      await engine.close();
      await (await tfjs?.catch(() => undefined))?.close();
      port!.close();
      return;
    case "graph":
      return load(job.digest, async () => void sessions.set(job.digest, await session(job.bytes)));
    case "dataset":
      return load(job.digest, async () => void datasets.set(job.digest, readExampleTable(job.bytes)));
    case "evaluate":
    case "root-update":
    case "ranges":
      try {
        const beganAt = monotonicMs();
        const result = await outcomeOf(job);
        answer({ id: job.id, result, times: { beganAt, endedAt: monotonicMs() } });
      } catch (error) {
        const { code, message, detail } = toFailure(error, "round/evaluation-failed");
        answer({ id: job.id, error: { code, message, detail } });
      }
      return;
    default: {
      const never: never = job;
      throw new TypeError(`evaluation: no such job ${String(never)}`);
    }
  }
}

async function outcomeOf(
  job: Exclude<EvaluationJob, { type: "close" | "graph" | "dataset" }>,
): Promise<EvaluationOutcome> {
  if (job.type === "evaluate") return await evaluate(job);
  return await (job.type === "root-update" ? train(job) : ranges(job));
}

async function session(graph: Uint8Array): Promise<Session> {
  return await (isTfjsArtifact(graph) ? await (tfjs ??= openInstalledTfjs()) : engine).load(graph);
}

/** What cannot be loaded fails the jobs that need it. */
async function load(digest: Digest, run: () => Promise<void>): Promise<void> {
  try {
    await run();
    unusable.delete(digest);
  } catch (error) {
    unusable.set(digest, error);
  }
}

function answer(message: EvaluationAnswer): void {
  port!.postMessage(message);
}

async function evaluate({ graph, dataset, spec, values }: EvaluationRequest): Promise<EvaluationResult> {
  const { session, data } = loaded(graph, dataset);
  return evaluationResult(spec, await evaluationSums({ session, spec, data, values, signal }));
}

/** More examples move a range by little. */
const RANGE_EXAMPLES = 256;

async function ranges({
  model,
  dataset,
  inputs,
}: RangesRequest): Promise<ReadonlyMap<string, ActivationRange>> {
  // Most threads evaluate and no more.
  const { chosenRanges, gatherHistograms } = await import("@tributary/onnx");
  const examples = rowFeeds(loadedTable(dataset), inputs, RANGE_EXAMPLES);
  let observed: Promise<Session> | undefined;
  try {
    const histograms = await gatherHistograms(model, {
      examples,
      run: async (bytes, feeds) => {
        signal.throwIfAborted();
        return await (await (observed ??= engine.load(bytes))).run(feeds);
      },
    });
    return chosenRanges(histograms);
  } finally {
    await (await observed?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }
}

async function train({ graph, dataset, parameters, values, ...job }: RootUpdateJob): Promise<Float32Array> {
  const base = parameterSet(parameters, Float32Array.from(values));
  const { update } = await rootUpdate({ ...job, ...loaded(graph, dataset), base, signal });
  return update;
}

function loadedTable(dataset: Digest): ExampleTable {
  const data = datasets.get(dataset);
  if (data !== undefined) return data;
  throw (
    unusable.get(dataset) ??
    failure("round/evaluation-failed", "evaluation: the data set comes before the job")
  );
}

function loaded(graph: Digest, dataset: Digest): { readonly session: Session; readonly data: ExampleTable } {
  const session = sessions.get(graph);
  const data = datasets.get(dataset);
  if (session === undefined || data === undefined) {
    throw (
      unusable.get(graph) ??
      unusable.get(dataset) ??
      failure("round/evaluation-failed", "evaluation: graph and data set come before the job")
    );
  }
  return { session, data };
}
