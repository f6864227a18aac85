import type { SeededRandom } from "@tributary/core";

/** One draw from Dirichlet(parameters): weights of 0 to 1 that add up to 1. */
export function dirichlet(parameters: ArrayLike<number>, random: SeededRandom): Float64Array<ArrayBuffer> {
  const logs = Float64Array.from(parameters, (alpha) => logGamma(alpha, random));
  // Gammas of small parameters underflow; their logarithms do not.
  const largest = logs.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = logs.map((log) => Math.exp(log - largest));
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/** Logarithm of a Gamma(alpha, 1) draw: Marsaglia and Tsang 2000, and below 1 their boost, G(a) = G(a + 1) U^(1/a). */
function logGamma(alpha: number, random: SeededRandom): number {
  if (alpha <= 0) return -Infinity;
  if (alpha < 1) return logGamma(alpha + 1, random) + Math.log(1 - random.next()) / alpha;
  const d = alpha - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    if (Math.log(1 - random.next()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}
