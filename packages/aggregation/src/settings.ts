/** RangeError naming the strategy and its setting, unless it is finite and in its range. */
export function requireSetting(strategy: string, name: string, value: number, inRange: boolean): void {
  if (!inRange || !Number.isFinite(value)) {
    throw new RangeError(`${strategy}: ${name} is out of its range, got ${value}`);
  }
}
