import type { CompareView } from "@tributary/api-client";

type Difference = CompareView["differences"][number];
type Measured = CompareView["metrics"][number]["values"][number];

/** `0.9412 (0.9301 to 0.9507)` */
export function measuredText(measured: Measured): string {
  if (measured === null) return "–";
  const { value, lower, upper } = measured;
  const interval = lower === null || upper === null ? "" : ` (${figure(lower)} to ${figure(upper)})`;
  return `${figure(value)}${interval}`;
}

/** Which of the values is the best one; undefined: that is not known, or there is no one best. */
export function bestOf({ better, values }: CompareView["metrics"][number]): number | undefined {
  if (better === null) return undefined;
  const known = values.flatMap((value, i) => (value === null ? [] : [{ i, value: value.value }]));
  const sorted = known.toSorted((a, b) => (better === "higher" ? b.value - a.value : a.value - b.value));
  const [first, second] = sorted;
  return first === undefined || second === undefined || first.value === second.value ? undefined : first.i;
}

/** What is said of a pair: `+0.0120, from +0.0031 to +0.0209` */
export function differenceText({ difference, lower, upper }: Difference): string {
  return `${signed(difference)}, from ${signed(lower)} to ${signed(upper)}`;
}

/** How it is known. */
export function methodText({ method, examples, p, adjustedP }: Difference): string {
  const how =
    method === "paired" ? "both versions on the same examples of devices" : "shares of the same data set";
  const among = Math.abs(p - adjustedP) < 1e-12 ? "" : `, ${shortP(adjustedP)} among all pairs`;
  return `p ${shortP(p)}${among}; ${examples} examples, ${how}`;
}

/** A JSON value as a person writes it: texts without their quotation marks. */
export function plainValue(json: string | null): string {
  if (json === null) return "–";
  const value: unknown = JSON.parse(json);
  if (value === null) return "none";
  return typeof value === "string" ? value : json;
}

const shortP = (p: number): string => (p < 0.0001 ? "< 0.0001" : p.toPrecision(2));
const figure = (value: number): string =>
  Math.abs(value) >= 1_000 ? value.toPrecision(6) : value.toFixed(4);
const signed = (value: number): string => `${value < 0 ? "−" : "+"}${figure(Math.abs(value))}`;
