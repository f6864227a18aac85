import { incompleteBeta } from "./incomplete-beta.ts";

/** P(T > t) for Student's t with `degrees` > 0 degrees of freedom (DLMF 8.17 (i), Abramowitz and Stegun 26.7.1). */
export function studentTail(t: number, degrees: number): number {
  if (Number.isNaN(t) || !(degrees > 0)) {
    throw new RangeError(`studentTail: a number and degrees > 0 expected, got ${t}, ${degrees}`);
  }
  const outside = incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5) / 2;
  return t >= 0 ? outside : 1 - outside;
}

const BISECTIONS = 200;

/** The t with P(T <= t) = `probability`, from 0.5 to below 1. */
export function studentQuantile(probability: number, degrees: number): number {
  if (!(probability >= 0.5 && probability < 1)) {
    throw new RangeError(`studentQuantile: a probability from 0.5 to below 1 expected, got ${probability}`);
  }
  const tail = 1 - probability;
  let low = 0;
  let high = 1;
  while (studentTail(high, degrees) > tail && high < 1e300) {
    low = high;
    high *= 2;
  }
  for (let i = 0; i < BISECTIONS; i++) {
    const middle = (low + high) / 2;
    if (middle === low || middle === high) break;
    if (studentTail(middle, degrees) > tail) low = middle;
    else high = middle;
  }
  return high;
}
