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
