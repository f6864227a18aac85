import type { CompareView } from "./views.ts";

/** Rows of cells, the first of them the names of the columns. */
export type CsvTable = readonly (readonly (string | number | null)[])[];

/** Parameters and metrics, a row each and a column for each subject; of a metric with an interval two more rows. */
export function compareTable({ subjects, parameters, metrics }: CompareView): CsvTable {
  return [
    ["name", ...subjects.map(({ ref }) => ref)],
    ...parameters.map(({ path, values }) => [path, ...values]),
    ...metrics.flatMap(({ name, values }) => {
      const row = (part: "value" | "lower" | "upper", suffix = "") => [
        `metric.${name}${suffix}`,
        ...values.map((value) => value?.[part] ?? null),
      ];
      const hasInterval = values.some((value) => value !== null && value.lower !== null);
      return hasInterval ? [row("value"), row("lower", ".lower"), row("upper", ".upper")] : [row("value")];
    }),
  ];
}

/** Points of all curves, below each other. */
export function curvesTable({ subjects }: CompareView): CsvTable {
  return [
    ["subject", "round", "version", "seconds", "examples", "loss", "accuracy", "trainLoss", "trainAccuracy"],
    ...subjects.flatMap(({ ref, curve }) =>
      curve.points.map(({ round, version, seconds, examples, loss, accuracy, trainLoss, trainAccuracy }) => [
        ref,
        round,
        version,
        seconds,
        examples,
        loss,
        accuracy,
        trainLoss,
        trainAccuracy,
      ]),
    ),
  ];
}

/** As RFC 4180 has it: lines end with CR LF, what holds a comma, a quotation mark or a line end is quoted. */
export function toCsv(table: CsvTable): string {
  return table.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  // A spreadsheet takes these for the beginning of a formula.
  const text = /^[=+@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
