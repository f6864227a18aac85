import { InvalidArgumentError } from "commander";

/** Commander parsers: each names the range, so that a wrong value is one clear line. */
export function integerBetween(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isInteger(value) || value < low || value > high) {
      throw new InvalidArgumentError(`Expected a whole number from ${low} to ${high}, got "${text}".`);
    }
    return value;
  };
}

/** A version of a model: its number, or what it is called. */
export function versionOrAlias(text: string): number | string {
  if (/^[a-z][a-z0-9-]{0,31}$/.test(text)) return text;
  if (/^[1-9][0-9]*$/.test(text) && Number(text) < 2 ** 32) return Number(text);
  throw new InvalidArgumentError(`Expected a version's number, or an alias such as champion, got "${text}".`);
}

/** Above `low`, at most `high`. */
export function numberBetween(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !(value > low && value <= high)) {
      throw new InvalidArgumentError(`Expected a number above ${low} and at most ${high}, got "${text}".`);
    }
    return value;
  };
}

/** May be given several times, or once with commas. */
export function list(text: string, previous: readonly string[]): string[] {
  return [
    ...previous,
    ...text
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== ""),
  ];
}

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A time such as 90s, 30m, 2h or 3d, in milliseconds. */
export function duration(lowMs: number, highMs: number): (text: string) => number {
  return (text) => {
    const [, number = "", unit = "s"] = /^(\d{1,9})([smhd])$/.exec(text.trim()) ?? [];
    const ms = number === "" ? Number.NaN : Number(number) * UNITS[unit as keyof typeof UNITS];
    if (!(ms >= lowMs && ms <= highMs))
      throw new InvalidArgumentError(
        `Expected a time such as 30m, 2h or 3d, of ${lowMs / 1_000}s to ${highMs / UNITS.d}d, got "${text}".`,
      );
    return ms;
  };
}
