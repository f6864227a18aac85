import { parentPort } from "node:worker_threads";
import { failure, toFailure, type Digest } from "@tributary/core";
import type { Feeds, Session } from "@tributary/engine";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { elementCount, tensor } from "@tributary/tensor";
import { readDataset, type Dataset } from "../evaluation-dataset.ts";
import type { EvaluationAnswer, EvaluationJob, EvaluationRequest, EvaluationResult } from "./evaluation.ts";

// A worker thread: graphs and data sets come once, weights with every job.

const port = parentPort;
if (port === null) throw new TypeError("evaluation-worker: to be started as a worker thread");
const engine = await createOrtNodeEngine();
const sessions = new Map<Digest, Session>();
const datasets = new Map<Digest, Dataset>();
const unusable = new Map<Digest, unknown>();
let tail: Promise<void> = Promise.resolve();

port.on("message", (job: EvaluationJob) => {
  tail = tail.then(() => handle(job));
});

async function handle(job: EvaluationJob): Promise<void> {
  switch (job.type) {
    case "close":
      await engine.close();
      port!.close();
      return;
    case "graph":
      return load(job.digest, async () => void sessions.set(job.digest, await engine.load(job.bytes)));
    case "dataset":
      return load(job.digest, async () => void datasets.set(job.digest, readDataset(job.bytes)));
    case "evaluate":
      try {
        answer({ id: job.id, result: await evaluate(job) });
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
  const session = sessions.get(graph);
  const data = datasets.get(dataset);
  if (session === undefined || data === undefined) {
    throw (
      unusable.get(graph) ??
      unusable.get(dataset) ??
      failure("round/evaluation-failed", "evaluation: graph and data set come before the job")
    );
  }
  const { batchSize, features, labels, sampleWeights } = spec;
  if (elementCount(features.shape) !== batchSize * data.exampleSize) {
    throw failure(
      "dataset/mismatch",
      `evaluation: the graph takes [${features.shape.join()}], the data set has ${data.exampleSize} values an example`,
    );
  }
  const feeds: Record<string, Feeds[string]> = {};
  let at = 0;
  for (const { input, shape } of spec.parameters) {
    const size = elementCount(shape);
    feeds[input] = tensor("float32", shape, values.subarray(at, at + size));
    at += size;
  }
  const x = new Float32Array(batchSize * data.exampleSize);
  const y = new Int32Array(batchSize);
  const w = new Float32Array(batchSize);
  feeds[features.name] = tensor("float32", features.shape, x);
  feeds[labels.name] = tensor("int32", labels.shape, y);
  feeds[sampleWeights.name] = tensor("float32", sampleWeights.shape, w);

  const examples = data.labels.length;
  let lossSum = 0;
  let correct = 0;
  for (let start = 0; start < examples; start += batchSize) {
    fillBatch(data, start, { x, y, w });
    const outputs = await session.run(feeds, { outputs: [spec.lossSum, spec.correct] });
    lossSum += Number(outputs[spec.lossSum]!.data[0]);
    correct += Number(outputs[spec.correct]!.data[0]);
  }
  const loss = lossSum / examples;
  if (!Number.isFinite(loss)) throw failure("round/evaluation-failed", `evaluation: the loss is ${loss}`);
  return { loss, accuracy: correct / examples, examples };
}

/** The last batch is padded with examples of weight 0. */
function fillBatch(
  { images, labels, exampleSize }: Dataset,
  start: number,
  batch: { readonly x: Float32Array; readonly y: Int32Array; readonly w: Float32Array },
): void {
  const { x, y, w } = batch;
  const filled = Math.min(y.length, labels.length - start);
  const source = images.subarray(start * exampleSize, (start + filled) * exampleSize);
  if (images instanceof Uint8Array) for (let i = 0; i < source.length; i++) x[i] = source[i]! / 255;
  else x.set(source);
  x.fill(0, filled * exampleSize);
  y.fill(0);
  y.set(labels.subarray(start, start + filled));
  w.fill(1, 0, filled);
  w.fill(0, filled);
}
