import { failure } from "@tributary/core";
import { encodeModel } from "../ir/encode.ts";
import type { Model } from "../ir/model.ts";
import { addToHistogram, emptyHistogram, type ActivationHistogram } from "./activation-histogram.ts";
import type { Calibration } from "./options.ts";

/** What was seen of some activations. */
export interface ActivationStatistics {
  readonly histograms: ReadonlyMap<string, ActivationHistogram>;
  /** Mean of each channel (axis 1) over examples and positions, where examples were run. */
  readonly channelMeans: ReadonlyMap<string, Float64Array>;
}

/** Runs the examples, or takes the histograms given. Errors: `onnx/needs-calibration`. */
export async function gatherStatistics(
  model: Model,
  names: readonly string[],
  calibration: Calibration,
): Promise<ActivationStatistics> {
  if ("ranges" in calibration) return { histograms: new Map(), channelMeans: new Map() };
  if ("histograms" in calibration) return { histograms: calibration.histograms, channelMeans: new Map() };
  if (calibration.examples.length === 0) {
    throw failure(
      "onnx/needs-calibration",
      "onnx: calibration.examples is empty; give some tens of typical inputs",
    );
  }
  const inputs = new Set(model.graph.inputs.map(({ name }) => name));
  const observed = names.filter((name) => !inputs.has(name));
  const bytes = withOutputs(model, observed);
  const histograms = new Map(names.map((name) => [name, emptyHistogram()]));
  const sums = new Map<string, { readonly sums: Float64Array; count: number }>();
  for (const feeds of calibration.examples) {
    const results = await calibration.run(bytes, feeds);
    for (const name of names) {
      const { data, shape } = (inputs.has(name) ? feeds : results)[name] ?? {};
      if (!(data instanceof Float32Array) || shape === undefined) {
        throw new TypeError(
          `calibration.run gave no float32 values for "${name}"; it must return every output`,
        );
      }
      histograms.set(name, addToHistogram(histograms.get(name)!, data));
      addChannels(sums, name, data, shape);
    }
  }
  const channelMeans = new Map(
    Array.from(sums, ([name, { sums: total, count }]) => [name, total.map((sum) => sum / count)]),
  );
  return { histograms, channelMeans };
}

function withOutputs(model: Model, names: readonly string[]): Uint8Array {
  const { graph } = model;
  const present = new Set(graph.outputs.map(({ name }) => name));
  const added = names.filter((name) => !present.has(name));
  return encodeModel({
    ...model,
    graph: {
      ...graph,
      outputs: [
        ...graph.outputs,
        ...added.map((name) => ({ name, elementType: "float32" as const, shape: undefined })),
      ],
    },
  });
}

function addChannels(
  totals: Map<string, { readonly sums: Float64Array; count: number }>,
  name: string,
  data: Float32Array,
  shape: readonly number[],
): void {
  if (shape.length < 2) return;
  const channels = shape[1]!;
  const inner = shape.slice(2).reduce((a, b) => a * b, 1);
  let entry = totals.get(name);
  if (entry === undefined) totals.set(name, (entry = { sums: new Float64Array(channels), count: 0 }));
  if (entry.sums.length !== channels) return;
  for (let i = 0; i < data.length; i++) entry.sums[Math.floor(i / inner) % channels]! += data[i]!;
  entry.count += data.length / channels;
}
