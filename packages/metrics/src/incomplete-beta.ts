/** Coefficients of Lanczos' approximation with g = 7: a relative error below 1e-14. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
] as const;

/** ln Gamma(x) for x > 0 (Lanczos 1964). */
function logGamma(x: number): number {
  const z = x - 1;
  let series: number = LANCZOS[0];
  for (let i = 1; i < LANCZOS.length; i++) series += LANCZOS[i]! / (z + i);
  const t = z + LANCZOS.length - 1.5;
  return (z + 0.5) * Math.log(t) - t + Math.log(Math.sqrt(2 * Math.PI) * series);
}

const TINY = 1e-300;
const EPSILON = 1e-15;
/** Convergence takes O(sqrt(max(a, b))) terms: enough for a billion of either. */
const MAX_TERMS = 200_000;

/** The continued fraction DLMF 8.17.22, evaluated by Lentz's method. */
function continuedFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 - ((a + b) * x) / (a + 1);
  d = 1 / (Math.abs(d) < TINY ? TINY : d);
  let value = d;
  const term = (numerator: number): number => {
    d = 1 + numerator * d;
    d = 1 / (Math.abs(d) < TINY ? TINY : d);
    c = 1 + numerator / c;
    if (Math.abs(c) < TINY) c = TINY;
    value *= d * c;
    return d * c;
  };
  for (let m = 1; m <= MAX_TERMS; m++) {
    term((m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m)));
    const change = term((-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1)));
    if (Math.abs(change - 1) < EPSILON) return value;
  }
  return value;
}

/**
 * The regularized incomplete beta function I_x(a, b) (DLMF 8.17): the tails of Student's t and of the binomial distribution.
 *
 * @param x from 0 to 1
 * @param a above 0, as b
 */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (!(x >= 0 && x <= 1 && a > 0 && b > 0)) {
    throw new RangeError(`incompleteBeta: x from 0 to 1 and a, b > 0 expected, got ${x}, ${a}, ${b}`);
  }
  if (x === 0 || x === 1) return x;
  // The fraction converges fast on this side of the mean only.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = a * Math.log(x) + b * Math.log1p(-x) - logGamma(a) - logGamma(b) + logGamma(a + b);
  return (Math.exp(front) * continuedFraction(x, a, b)) / a;
}
