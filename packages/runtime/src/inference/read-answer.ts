import type { ModelManifest, OutputProcessing } from "@tributary/protocol";
import type { Inference, RankedClass } from "../runtime.ts";
import type { QueueAnswer } from "./inference-queue.ts";

type Read = Pick<ModelManifest, "version" | "outputs" | "labels" | "processing">;

/** Reads the output that the manifest names as probabilities; where it names none, the first float32 output. */
export function readAnswer(manifest: Read, { outputs, durationMs }: QueueAnswer): Inference {
  const { version, labels } = manifest;
  const { name, activation, topK = 1 } = manifest.processing?.output ?? guessedOutput(manifest);
  const scores = outputs[name];
  const width = scores?.shape.at(-1) ?? 0;
  const probabilities =
    scores === undefined || width === 0
      ? new Float32Array(0)
      : activated(scores.data as Float32Array, width, activation);
  const top = rankRows(probabilities, width, topK, labels);
  return { version, outputs, probabilities, classes: top.map(([best]) => best!.index), top, durationMs };
}

function guessedOutput({ outputs }: Read): OutputProcessing {
  // skl2onnx's classifiers give the class before its probabilities.
  const name = outputs.find(({ dtype }) => dtype === "float32")?.name ?? "";
  // Models that end in a softmax say so in the name of their output.
  return { name, activation: /prob|softmax/i.test(name) ? "none" : "softmax" };
}

function activated(
  scores: Float32Array,
  width: number,
  activation: OutputProcessing["activation"],
): Float32Array<ArrayBuffer> {
  switch (activation) {
    case "none":
      return Float32Array.from(scores);
    case "sigmoid":
      return Float32Array.from(scores, (score) => 1 / (1 + Math.exp(-score)));
    case "softmax":
      return softmax(scores, width);
  }
}

/** Softmax of each row. */
function softmax(logits: Float32Array, width: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(logits.length);
  for (let row = 0; row < logits.length; row += width) {
    let max = -Infinity;
    for (let i = 0; i < width; i++) max = Math.max(max, logits[row + i]!);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += result[row + i] = Math.exp(logits[row + i]! - max);
    for (let i = 0; i < width; i++) result[row + i]! /= sum;
  }
  return result;
}

/** The best classes of each row, best first; of equals the first. */
function rankRows(
  values: Float32Array,
  width: number,
  topK: number,
  labels: readonly string[] | undefined,
): RankedClass[][] {
  const rows: RankedClass[][] = [];
  for (let row = 0; row < values.length; row += width) {
    const best: number[] = [];
    for (let index = 0; index < width; index++) {
      const value = values[row + index]!;
      let at = best.length;
      while (at > 0 && value > values[row + best[at - 1]!]!) at -= 1;
      if (at >= topK) continue;
      best.splice(at, 0, index);
      if (best.length > topK) best.pop();
    }
    rows.push(
      best.map((index) => ({
        index,
        label: labels?.[index] ?? String(index),
        probability: values[row + index]!,
      })),
    );
  }
  return rows;
}
