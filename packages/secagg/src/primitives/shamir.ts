import type { SecureRandom } from "@tributary/core";
import { FIELD_PRIME, invertAll, mod, randomElements } from "./field.ts";

/** One point of the sharing polynomial. */
export interface SharePoint {
  /** From 1; 0 would be the secret itself. */
  readonly abscissa: number;
  readonly value: bigint;
}

const MAX_ABSCISSA = 65_536;

/**
 * Shamir's t-of-n sharing of a secret below the prime: the values at the abscissas of a random polynomial of degree
 * t - 1 whose constant term is the secret.
 */
export function splitSecret(
  secret: bigint,
  options: {
    readonly threshold: number;
    readonly abscissas: readonly number[];
    readonly random: SecureRandom;
  },
): bigint[] {
  const { threshold, abscissas, random } = options;
  requireAbscissas(abscissas);
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > abscissas.length) {
    throw new RangeError(
      `splitSecret: a threshold from 1 to the ${abscissas.length} shares expected, got ${threshold}`,
    );
  }
  return evaluate([secret, ...randomElements(random, threshold - 1)], abscissas, FIELD_PRIME);
}

/** The polynomial's values by Horner's rule; abscissas are short, so it is enough to reduce at every fourth step. */
export function evaluate(
  coefficients: readonly bigint[],
  abscissas: readonly number[],
  prime: bigint,
): bigint[] {
  return abscissas.map((abscissa) => {
    const x = BigInt(abscissa);
    let value = 0n;
    for (let i = coefficients.length - 1; i >= 0; i--) {
      value = value * x + coefficients[i]!;
      if (i % 4 === 0) value %= prime;
    }
    return value;
  });
}

/**
 * The weights w_i with f(0) = sum w_i f(x_i), for each of several sets of abscissas: computed once, used for every secret
 * that the same members hold. w_i = prod_{j != i} x_j / (x_j - x_i). One inversion serves all sets.
 */
export function lagrangeWeights(
  sets: readonly (readonly number[])[],
  prime: bigint = FIELD_PRIME,
): bigint[][] {
  for (const abscissas of sets) requireAbscissas(abscissas);
  const denominators = sets.flatMap((abscissas) =>
    abscissas.map((own) =>
      mod(product(abscissas.map((other) => (other === own ? own : other - own))), prime),
    ),
  );
  const inverses = invertAll(denominators, prime).values();
  return sets.map((abscissas) => {
    const all = mod(product(abscissas), prime);
    return abscissas.map(() => mod(all * inverses.next().value!, prime));
  });
}

/** f(0) of points that belong to the weights, in their order. */
export function combine(
  weights: readonly bigint[],
  values: readonly bigint[],
  prime: bigint = FIELD_PRIME,
): bigint {
  let sum = 0n;
  for (let i = 0; i < weights.length; i++) sum += weights[i]! * values[i]!;
  return mod(sum, prime);
}

/** Factors are multiplied as numbers while they fit, so that few products are long. */
function product(factors: readonly number[]): bigint {
  let long = 1n;
  let short = 1;
  for (const factor of factors) {
    const next = short * factor;
    if (Number.isSafeInteger(next)) {
      short = next;
    } else {
      long *= BigInt(short);
      short = factor;
    }
  }
  return long * BigInt(short);
}

function requireAbscissas(abscissas: readonly number[]): void {
  for (const abscissa of abscissas) {
    if (!Number.isInteger(abscissa) || abscissa < 1 || abscissa > MAX_ABSCISSA) {
      throw new RangeError(
        `shamir: an abscissa is an integer from 1 to ${MAX_ABSCISSA} and never 0, got ${abscissa}`,
      );
    }
  }
  if (new Set(abscissas).size !== abscissas.length) throw new RangeError("shamir: an abscissa is repeated");
}
