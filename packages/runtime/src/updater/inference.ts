import { failure } from "@tributary/core";
import type { Feeds, Session } from "@tributary/engine";
import type { GraphPort } from "@tributary/protocol";
import { elementCount, tensor, type Tensor } from "@tributary/tensor";
import type { FeedValue, Inference } from "../runtime.ts";

/**
 * A value an app feeds, as a tensor that fits the port: the batch of flat values follows from their length, bytes
 * are read as value / 255 where floats are expected.
 * @throws `engine/input-mismatch`
 */
export function toFeed(port: GraphPort, value: FeedValue): Tensor {
  if (typeof value === "object" && "dtype" in value) return value;
  const rowShape = port.shape.slice(1);
  const rowLength = rowShape.every((size) => size > 0) ? elementCount(rowShape) : 0;
  const batch = value.length / rowLength;
  if (rowLength === 0 || !Number.isInteger(batch) || batch < 1) {
    throw failure(
      "engine/input-mismatch",
      `run: input "${port.name}" takes multiples of ${rowLength} values (shape [${port.shape.join(",")}]), got ${value.length}`,
      { detail: { input: port.name, expected: rowLength, got: value.length } },
    );
  }
  if (port.dtype !== "float32") {
    throw failure(
      "engine/input-mismatch",
      `run: input "${port.name}" is ${port.dtype}; flat numbers fit float32 only, pass a tensor`,
      { detail: { input: port.name, expected: port.dtype } },
    );
  }
  const scale = value instanceof Uint8Array ? 1 / 255 : 1;
  const data = scale === 1 ? Float32Array.from(value) : Float32Array.from(value, (v) => v * scale);
  return tensor("float32", [batch, ...rowShape], data);
}

/** One row of uniform values in [0, 1), for the check of one engine against another. */
export function sampleFeeds(port: GraphPort, random: () => number): Feeds {
  const shape = port.shape.map((size) => (size > 0 ? size : 1));
  const data = Float32Array.from({ length: elementCount(shape) }, random);
  return { [port.name]: tensor("float32", shape, data) };
}

/** Runs a batch and reads the model's output as probabilities. */
export async function infer(options: {
  readonly session: Session;
  readonly version: number;
  readonly output: GraphPort;
  readonly feeds: Feeds;
  readonly monotonicMs: () => number;
  readonly signal?: AbortSignal | undefined;
}): Promise<Inference> {
  const { session, version, output, feeds, monotonicMs, signal } = options;
  const startedAtMs = monotonicMs();
  const outputs = await session.run(feeds, signal === undefined ? {} : { signal });
  const durationMs = monotonicMs() - startedAtMs;
  const scores = outputs[output.name];
  const width = scores?.shape.at(-1) ?? 0;
  const probabilities =
    scores === undefined || scores.dtype !== "float32" || width === 0
      ? new Float32Array(0)
      : isNormalized(output.name)
        ? Float32Array.from(scores.data as Float32Array)
        : softmax(scores.data as Float32Array, width);
  return { version, outputs, probabilities, classes: argMaxRows(probabilities, width), durationMs };
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
