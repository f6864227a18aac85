import type { ModelManifest } from "@tributary/protocol";
import type { Inference } from "../runtime.ts";
import type { QueueAnswer } from "./inference-queue.ts";

/** Reads the model's first float32 output as probabilities. */
export function readAnswer(
  manifest: Pick<ModelManifest, "version" | "outputs">,
  { outputs, durationMs }: QueueAnswer,
): Inference {
  // skl2onnx's classifiers give the class before its probabilities.
  const name = manifest.outputs.find(({ dtype }) => dtype === "float32")?.name ?? "";
  const scores = outputs[name];
  const width = scores?.shape.at(-1) ?? 0;
  const probabilities =
    scores === undefined || width === 0
      ? new Float32Array(0)
      : isNormalized(name)
        ? Float32Array.from(scores.data as Float32Array)
        : softmax(scores.data as Float32Array, width);
  const classes = argMaxRows(probabilities, width);
  return { version: manifest.version, outputs, probabilities, classes, durationMs };
}

/** Models that end in a softmax say so in the name of their output. */
function isNormalized(outputName: string): boolean {
  return /prob|softmax/i.test(outputName);
}

/** Softmax of each row. */
export function softmax(logits: Float32Array, width: number): Float32Array<ArrayBuffer> {
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

function argMaxRows(values: Float32Array, width: number): number[] {
  const classes: number[] = [];
  for (let row = 0; row < values.length; row += width) {
    let best = 0;
    for (let i = 1; i < width; i++) if (values[row + i]! > values[row + best]!) best = i;
    classes.push(best);
  }
  return classes;
}
