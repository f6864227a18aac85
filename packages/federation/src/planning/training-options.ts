import { failure, type Digest } from "@tributary/core";
import { matchesOf, type Loss, type LossOptions, type OutputLoss } from "@tributary/onnx";
import type { LossSpec, TaskSpec } from "@tributary/protocol";

/** Reads a loss graph of an operator by its digest; undefined where there is none. */
export type ReadLossGraph = (digest: Digest) => Promise<Uint8Array | undefined>;

/**
 * A task's losses as the onnx package takes them, with the graphs read.
 *
 * @throws `coordinator/invalid-task` where a graph is not there
 */
export async function lossOf(readGraph: ReadLossGraph, spec: TaskSpec): Promise<Loss> {
  return Promise.all(
    [spec.loss, ...spec.moreLosses].map(async (loss, i): Promise<OutputLoss> => ({
      ...(loss.output === undefined ? {} : { output: loss.output }),
      ...(loss.weight === undefined ? {} : { weight: loss.weight }),
      loss: await optionsOf(readGraph, spec, loss, i === 0 ? "/loss/graph" : `/moreLosses/${i - 1}/graph`),
    })),
  );
}

async function optionsOf(
  readGraph: ReadLossGraph,
  task: TaskSpec,
  spec: LossSpec,
  path: string,
): Promise<LossOptions> {
  const { kind, graph, labelSmoothing, classWeights, delta } = spec;
  switch (kind) {
    case "graph": {
      const bytes = graph === undefined ? undefined : await readGraph(graph);
      if (bytes === undefined) {
        throw invalidTask(task, path, "there is no such blob; POST the loss graph to /v1/blobs first");
      }
      return { kind, graph: bytes };
    }
    case "softmax-cross-entropy":
      return {
        kind,
        ...(labelSmoothing === undefined ? {} : { labelSmoothing }),
        ...(classWeights === undefined ? {} : { classWeights }),
      };
    case "huber":
      return { kind, ...(delta === undefined ? {} : { delta }) };
    case "auto":
      throw new TypeError("registry: auto is replaced before");
    case "sigmoid-cross-entropy":
    case "mse":
    case "mae":
      return { kind };
  }
}

/**
 * The published parameters that a task trains, in their order.
 *
 * @throws `coordinator/invalid-task` naming those there are
 */
export function trainedNames(spec: TaskSpec, published: readonly string[]): readonly string[] {
  if (published.length === 0) {
    const advice = "train the float model that it was quantized or converted from, and publish that";
    throw invalidTask(spec, "/trainable", `the model has no parameters that gradients reach; ${advice}`);
  }
  const wanted = new Set(
    spec.trainable.flatMap((pattern) => {
      const matches = matchesOf(pattern, published);
      if (matches.length > 0) return matches;
      const some = published.slice(0, 20).join(", ");
      const more = published.length > 20 ? `, and ${published.length - 20} more` : "";
      throw invalidTask(spec, "/trainable", `no parameter is called "${pattern}"; there are ${some}${more}`);
    }),
  );
  return published.filter((name) => wanted.has(name));
}

/** The error of a task that does not fit its model. */
export function invalidTask(spec: TaskSpec, path: string, problem: string): Error {
  return failure("coordinator/invalid-task", `registry: task "${spec.name}": ${path}: ${problem}`, {
    detail: { path, problem: problem.slice(0, 200) },
  });
}
