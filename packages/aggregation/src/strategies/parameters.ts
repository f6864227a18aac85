/** A number that a strategy takes, as JSON Schema describes one. */
export interface StrategyParameter {
  readonly type: "number" | "integer";
  readonly default: number;
  readonly description: string;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly exclusiveMaximum?: number;
}

/** Whether a value from outside is one. */
export function isAllowed(parameter: StrategyParameter, value: unknown): value is number {
  const { type, minimum, exclusiveMinimum, maximum, exclusiveMaximum } = parameter;
  if (typeof value !== "number" || !Number.isFinite(value)) return false;
  if (type === "integer" && !Number.isSafeInteger(value)) return false;
  return (
    (minimum === undefined || value >= minimum) &&
    (exclusiveMinimum === undefined || value > exclusiveMinimum) &&
    (maximum === undefined || value <= maximum) &&
    (exclusiveMaximum === undefined || value < exclusiveMaximum)
  );
}

/** The allowed values in words: "a number of at least 0 and below 1". */
export function allowedValues(parameter: StrategyParameter): string {
  const { type, minimum, exclusiveMinimum, maximum, exclusiveMaximum } = parameter;
  const ends = [
    minimum === undefined ? undefined : `of at least ${minimum}`,
    exclusiveMinimum === undefined ? undefined : `above ${exclusiveMinimum}`,
    maximum === undefined ? undefined : `at most ${maximum}`,
    exclusiveMaximum === undefined ? undefined : `below ${exclusiveMaximum}`,
  ].filter((end) => end !== undefined);
  return [type === "integer" ? "an integer" : "a number", ends.join(" and ")].filter(Boolean).join(" ");
}
