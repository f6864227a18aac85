import type { Feeds } from "@tributary/engine";
import { tensor, type Tensor } from "@tributary/tensor";
import type { Explanation } from "./explanation.ts";
import type { Slope } from "./gradients.ts";

type Attributions = Pick<Explanation, "score" | "attributions" | "baselineScore" | "completenessError">;

/** Slopes at points, as `slopes` gives them. */
export type SlopesAt = (count: number, point: (index: number) => Feeds) => AsyncIterable<Slope>;

/** Simonyan et al. 2014, section 3: the magnitude of the score's derivative at the input. */
export async function saliency(feeds: Feeds, slopesAt: SlopesAt): Promise<Attributions> {
  for await (const { score, gradients } of slopesAt(1, () => feeds)) {
    const attributions = Object.entries(gradients).map(([name, gradient]): [string, Tensor] => [
      name,
      shapedAs(feeds[name]!, gradient.map(Math.abs)),
    ]);
    return { score, attributions: Object.fromEntries(attributions) };
  }
  throw new TypeError("explain: no slope at the input");
}

/**
 * Sundararajan et al. 2017, equations 1 and 3, with the midpoints of the steps: (x - x') times the mean gradient on the straight way
 * from the baseline x' to x.
 */
export async function integratedGradients(
  feeds: Feeds,
  baseline: Readonly<Record<string, Tensor>>,
  steps: number,
  slopesAt: SlopesAt,
): Promise<Attributions & { readonly baselineScore: number; readonly completenessError: number }> {
  const names = Object.keys(baseline);
  /** The two ends come after the points between them. */
  const share = (index: number): number => (index < steps ? (index + 0.5) / steps : index === steps ? 1 : 0);
  const point = (index: number): Feeds => ({
    ...feeds,
    ...Object.fromEntries(names.map((name) => [name, between(baseline[name]!, feeds[name]!, share(index))])),
  });
  const sums = new Map(names.map((name) => [name, new Float64Array(feeds[name]!.data.length)]));
  const ends: number[] = [];
  let index = 0;
  for await (const { score, gradients } of slopesAt(steps + 2, point)) {
    if (index >= steps) ends.push(score);
    else for (const [name, sum] of sums) addTo(sum, gradients[name]!);
    index += 1;
  }
  const [score, baselineScore] = ends as [number, number];
  let total = 0;
  const attributions = [...sums].map(([name, sum]): [string, Tensor] => {
    const [x, from] = [feeds[name]!.data as Float32Array, baseline[name]!.data as Float32Array];
    const values = Float32Array.from(sum, (gradients, i) => ((x[i]! - from[i]!) * gradients) / steps);
    for (const value of values) total += value;
    return [name, shapedAs(feeds[name]!, values)];
  });
  return {
    score,
    baselineScore,
    completenessError: total - (score - baselineScore),
    attributions: Object.fromEntries(attributions),
  };
}

function between(from: Tensor, to: Tensor, share: number): Tensor {
  const [a, b] = [from.data as Float32Array, to.data as Float32Array];
  return shapedAs(
    to,
    Float32Array.from(a, (value, i) => value + share * (b[i]! - value)),
  );
}

function addTo(sum: Float64Array, values: Float32Array): void {
  for (const [i, value] of values.entries()) sum[i]! += value;
}

function shapedAs({ shape }: Tensor, values: Float32Array<ArrayBuffer>): Tensor {
  return tensor("float32", [...shape], values);
}
