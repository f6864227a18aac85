/** Why a model answered as it did: loaded with the first explanation that is asked for. */
import { failure, throwIfAborted } from "@tributary/core";
import type { Feeds, Outputs } from "@tributary/engine";
import type { ModelManifest } from "@tributary/protocol";
import { sameShape, tensor, type Tensor } from "@tributary/tensor";
import { checkedRequest, type CheckedExplainRequest } from "./explain-request.ts";
import type { OpenGradients } from "../updater/gradient-session.ts";
import type { Explanation, ExplainRequest } from "./explanation.ts";
import { integratedGradients, saliency } from "./gradient-methods.ts";
import { slopes } from "./gradients.ts";
import { occlusion } from "./occlusion.ts";

export interface ExplainPorts {
  readonly manifest: ModelManifest;
  /** Of one row. */
  readonly feeds: Feeds;
  readonly request: ExplainRequest;
  /** The model itself. */
  readonly run: (feeds: Feeds) => Promise<Outputs>;
  /** The graph of its gradients; called only by methods that read them. */
  readonly openGradients: () => Promise<OpenGradients>;
  readonly signal?: AbortSignal | undefined;
}

/** @throws `runtime/not-explainable`, saying what to do instead; what running the model throws */
export async function explain(ports: ExplainPorts): Promise<Explanation> {
  const { manifest, feeds, run, signal } = ports;
  const request = checkedRequest(manifest, ports.request);
  requireOneRow(manifest, feeds);
  const read = async (output: string, given: Feeds): Promise<Float32Array> => {
    throwIfAborted(signal);
    return (await run(given))[output]!.data as Float32Array;
  };
  const answered = async (output: string) => {
    const target = chosenTarget(request.target, await read(output, feeds), output);
    const label = manifest.labels?.[target] ?? String(target);
    return { version: manifest.version, method: request.method, target, label };
  };
  if (request.method === "occlusion") {
    const output = readOutput(manifest);
    const common = await answered(output);
    const { score, attributions } = await occlusion({
      feeds,
      baseline: baselineOf(feeds, request.baseline),
      score: async (given) => (await read(output, given))[common.target]!,
      layoutOf(input) {
        const how = manifest.processing?.inputs?.[input];
        if (how?.kind === "image") return how.layout;
        return manifest.format === "tfjs" ? "nhwc" : "nchw";
      },
      window: request.window,
    });
    return { ...common, score, attributions };
  }
  if (manifest.explanation === undefined) throw withoutGradients(manifest);
  const { lease, spec } = await ports.openGradients();
  try {
    const common = await answered(spec.output);
    const slopesAt = (count: number, point: (index: number) => Feeds) =>
      slopes(lease.session, spec, { count, point, target: common.target }, signal);
    return {
      ...common,
      ...(request.method === "saliency"
        ? await saliency(feeds, slopesAt)
        : await integratedGradients(feeds, baselineOf(feeds, request.baseline), request.steps, slopesAt)),
    };
  } finally {
    await lease.release();
  }
}

/** The output whose values are explained: that which answers are read from. */
function readOutput({ model, processing, outputs }: ModelManifest): string {
  const name = processing?.output?.name ?? outputs.find(({ dtype }) => dtype === "float32")?.name;
  if (name !== undefined) return name;
  throw failure(
    "runtime/not-explainable",
    `explain: "${model}" has no float32 output, so no score that could rise or fall`,
  );
}

function requireOneRow({ inputs }: ModelManifest, feeds: Feeds): void {
  for (const { name, shape } of inputs) {
    const rows = feeds[name]?.shape[0];
    if (shape.length === 0 || rows === 1) continue;
    throw failure(
      "runtime/not-explainable",
      `explain: one row at a time is explained, "${name}" has ${rows ?? 0}; call it for each`,
      { detail: { input: name, expected: 1, got: rows ?? 0 } },
    );
  }
}

function chosenTarget(asked: number | undefined, values: Float32Array, output: string): number {
  if (asked === undefined) {
    return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
  }
  if (asked < values.length) return asked;
  throw failure(
    "runtime/not-explainable",
    `explain: target ${asked} is none of the ${values.length} values of "${output}"`,
    { detail: { target: asked, values: values.length } },
  );
}

/** Of each float32 input. */
function baselineOf(feeds: Feeds, given: CheckedExplainRequest["baseline"] = {}): Record<string, Tensor> {
  const floats = Object.entries(feeds).filter(([, { dtype }]) => dtype === "float32");
  const unknown = Object.keys(given).find((name) => !floats.some(([known]) => known === name));
  const unfit = floats.find(
    ([name, { shape }]) => given[name] !== undefined && !sameShape(given[name].shape, shape),
  );
  if (unknown !== undefined || unfit !== undefined) {
    const name = unknown ?? unfit![0];
    throw failure(
      "runtime/not-explainable",
      `explain: the baseline of "${name}" ${unknown === undefined ? "has another shape than the input" : "is of no float32 input"}`,
      { detail: { input: name } },
    );
  }
  if (floats.length === 0) {
    throw failure("runtime/not-explainable", "explain: none of the model's inputs is float32");
  }
  return Object.fromEntries(
    floats.map(([name, { shape, data }]) => [
      name,
      given[name] ?? tensor("float32", [...shape], new Float32Array(data.length)),
    ]),
  );
}

function withoutGradients({ model, format }: ModelManifest): Error {
  const why =
    format === "tfjs"
      ? "is a model of TensorFlow.js"
      : "was published without gradients: it is quantized or no neural network, or by an earlier release; `tributary describe` says which operators have none";
  return failure(
    "runtime/not-explainable",
    `explain: "${model}" ${why}. Ask for method: "occlusion", which needs none`,
    { detail: { model } },
  );
}
