import { throwIfAborted } from "@tributary/core";
import type { Feeds, Session } from "@tributary/engine";
import type { ExplanationSpec } from "@tributary/protocol";
import { allocate, elementCount, tensor, type Tensor, type TensorData } from "@tributary/tensor";

/** What a model's score is at one point, and which way it rises. */
export interface Slope {
  readonly score: number;
  /** Of each float32 input. */
  readonly gradients: Readonly<Record<string, Float32Array>>;
}

/**
 * Scores and gradients at points, in their order; as many points share a run as the graph takes.
 *
 * @param point - feeds of one row, [1, …], of the point with this number
 * @param target - index in a row of the output
 */
export async function* slopes(
  session: Pick<Session, "run">,
  spec: ExplanationSpec,
  options: { readonly count: number; readonly point: (index: number) => Feeds; readonly target: number },
  signal?: AbortSignal,
): AsyncGenerator<Slope> {
  const { count, point, target } = options;
  const { batchSize, weights, inputs } = spec;
  const width = elementCount(weights.shape) / batchSize;
  for (let start = 0; start < count; start += batchSize) {
    throwIfAborted(signal);
    const rows = Math.min(batchSize, count - start);
    const chosen = new Float32Array(batchSize * width);
    const points = Array.from({ length: rows }, (_, row) => point(start + row));
    for (const row of points.keys()) chosen[row * width + target] = 1;
    const feeds: Record<string, Tensor> = { [weights.name]: tensor("float32", [...weights.shape], chosen) };
    // Rows without a point repeat the last one, which is as good a value as any, and count for nothing.
    for (const port of inputs) {
      feeds[port.name] = joined(
        port.dtype,
        port.shape,
        (row) => points[Math.min(row, rows - 1)]![port.name]!,
      );
    }
    const outputs = await session.run(feeds, signal === undefined ? {} : { signal });
    const scores = outputs[spec.score]!.data;
    for (let row = 0; row < rows; row++) {
      yield {
        score: Number(scores[row]),
        gradients: Object.fromEntries(
          spec.gradients.map(({ input, output }) => {
            const all = outputs[output]!.data as Float32Array;
            const size = all.length / batchSize;
            return [input, all.slice(row * size, (row + 1) * size)];
          }),
        ),
      };
    }
  }
}

function joined(dtype: Tensor["dtype"], shape: readonly number[], rowOf: (row: number) => Tensor): Tensor {
  const data: TensorData = allocate(dtype, elementCount(shape));
  const rows = shape[0]!;
  const size = data.length / rows;
  for (let row = 0; row < rows; row++)
    (data as Float32Array).set(rowOf(row).data as Float32Array, row * size);
  return tensor(dtype, [...shape], data as Float32Array<ArrayBuffer>);
}
