/** How often a device tells how it fares. */
export interface DeviceHealthOptions {
  /**
   * Between two reports on a version, from one second to a week; below ten seconds only for a coordinator that is set to take them so often.
   *
   * @defaultValue one hour
   */
  readonly intervalMs?: number;
}

const [LEAST_MS, MOST_MS] = [1_000, 7 * 86_400_000];

/**
 * @returns how often a device tells how it fares; undefined: it does not
 * @throws RangeError
 */
export function healthInterval(given: boolean | DeviceHealthOptions = false): number | undefined {
  if (given === false) return undefined;
  const { intervalMs = 3_600_000 } = given === true ? {} : given;
  if (intervalMs >= LEAST_MS && intervalMs <= MOST_MS) return intervalMs;
  throw new RangeError(
    `createRuntime: deviceHealth.intervalMs must be from ${LEAST_MS} to ${MOST_MS}, got ${intervalMs}`,
  );
}
