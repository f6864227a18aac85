/** From here on Stirling's series is exact to the last bits. */
const STIRLING_FROM = 64;

/** The natural logarithm of the gamma function for x >= 1, by Stirling's series after shifting x upwards. */
export function logGamma(x: number): number {
  let shift = 0;
  let argument = x;
  for (; argument < STIRLING_FROM; argument++) shift += Math.log(argument);
  const inverse = 1 / argument;
  const square = inverse * inverse;
  const series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)));
  return (argument - 0.5) * Math.log(argument) - argument + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

/** ln of the binomial coefficient. */
export function logChoose(n: number, k: number): number {
  return logGamma(n + 1) - logGamma(k + 1) - logGamma(n - k + 1);
}
