import type { Tensor } from "@tributary/tensor";
import type { RunModel } from "./options.ts";

export interface CompareOptions {
  readonly reference: Uint8Array;
  readonly candidate: Uint8Array;
  readonly run: RunModel;
  readonly examples: readonly Readonly<Record<string, Tensor>>[];
  /** The right class of each row of the output, in the examples' order. */
  readonly labels?: ArrayLike<number>;
  /** Which output counts; default the first that is float32. */
  readonly output?: string;
}

export interface ModelComparison {
  /** Rows of the output that were compared. */
  readonly rows: number;
  /** ‖candidate − reference‖ / ‖reference‖ over all elements */
  readonly relativeError: number;
  readonly largestError: number;
  /** Share of rows, 0 to 1, where both find the same class. */
  readonly top1Agreement: number;
  readonly accuracy?: {
    readonly reference: number;
    readonly candidate: number;
    /** reference − candidate, in percentage points */
    readonly dropPoints: number;
  };
}

/** Runs both models on the same examples. A row is the last axis of the output, the class its largest element. */
export async function compareModels(options: CompareOptions): Promise<ModelComparison> {
  const { reference, candidate, run, examples, labels } = options;
  if (examples.length === 0) throw new RangeError("compareModels: examples must not be empty");
  let [rows, agree, right, rightCandidate] = [0, 0, 0, 0];
  let [error, norm, largestError] = [0, 0, 0];
  for (const feeds of examples) {
    const expected = floatOutput(await run(reference, feeds), options.output);
    const got = floatOutput(await run(candidate, feeds), expected.name);
    if (got.data.length !== expected.data.length) {
      throw new RangeError(
        `compareModels: "${expected.name}" has ${expected.data.length} elements in the reference, ${got.data.length} in the candidate`,
      );
    }
    for (const [i, value] of expected.data.entries()) {
      const difference = Math.abs(got.data[i]! - value);
      error += difference ** 2;
      norm += value ** 2;
      if (!(difference <= largestError)) largestError = difference;
    }
    for (let at = 0; at < expected.data.length; at += expected.columns, rows++) {
      const [a, b] = [
        largestIn(expected.data, at, expected.columns),
        largestIn(got.data, at, expected.columns),
      ];
      if (a === b) agree += 1;
      if (labels !== undefined && labels[rows] === a) right += 1;
      if (labels !== undefined && labels[rows] === b) rightCandidate += 1;
    }
  }
  if (labels !== undefined && labels.length !== rows) {
    throw new RangeError(`compareModels: ${labels.length} labels for ${rows} rows`);
  }
  return {
    rows,
    relativeError: norm === 0 ? Math.sqrt(error) : Math.sqrt(error / norm),
    largestError,
    top1Agreement: agree / rows,
    ...(labels === undefined
      ? {}
      : {
          accuracy: {
            reference: right / rows,
            candidate: rightCandidate / rows,
            dropPoints: ((right - rightCandidate) * 100) / rows,
          },
        }),
  };
}

interface FloatOutput {
  readonly name: string;
  readonly data: Float32Array;
  readonly columns: number;
}

function floatOutput(outputs: Readonly<Record<string, Tensor>>, wanted: string | undefined): FloatOutput {
  for (const [name, { data, shape }] of Object.entries(outputs)) {
    if ((wanted === undefined || name === wanted) && data instanceof Float32Array) {
      return { name, data, columns: shape.at(-1) ?? 1 };
    }
  }
  throw new TypeError(
    `compareModels: the models have no float32 output${wanted === undefined ? "" : ` "${wanted}"`}`,
  );
}

function largestIn(data: Float32Array, from: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if (data[from + i]! > data[from + best]!) best = i;
  return best;
}
