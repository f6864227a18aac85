/**
 * Sums over devices that a mean over their examples and its error follow from. Of each device: n its examples and T its sum of
 * what is averaged.
 */
export interface DeviceSums {
  /** Devices in the sums. */
  readonly devices: number;
  /** Sum of n. */
  readonly examples: number;
  /** Sum of T. */
  readonly total: number;
  /** Sum of n squared. */
  readonly exampleSquares: number;
  /** Sum of T squared. */
  readonly totalSquares: number;
  /** Sum of n T. */
  readonly products: number;
}

/**
 * The standard error of the mean r = sum T / sum n, with each device a cluster: the examples of one device may be as alike as
 * they please, devices are independent of each other. It is that of the ratio estimator, sqrt(m / (m - 1) sum (T - r n)^2) / sum n
 * (Cochran, "Sampling Techniques", 3rd ed. 1977, section 6.3, for clusters of unequal size), which is also the cluster-robust error of
 * a mean in its form CR1 (Liang and Zeger, Biometrika 73, 1986, with the correction for m clusters; Cameron and Miller, Journal of
 * Human Resources 50, 2015). The square is multiplied out, so that sums suffice. Its t has m - 1 degrees of freedom.
 *
 * @returns undefined with fewer than two devices: they say nothing of how much devices differ
 */
export function clusteredError(sums: DeviceSums): number | undefined {
  const { devices, examples, total, exampleSquares, totalSquares, products } = sums;
  if (!(devices >= 2 && examples >= devices)) return undefined;
  const mean = total / examples;
  // Sums of rounded numbers may fall below what no numbers have.
  const squares = Math.max(0, totalSquares - 2 * mean * products + mean ** 2 * exampleSquares);
  return Math.sqrt((devices / (devices - 1)) * squares) / examples;
}
