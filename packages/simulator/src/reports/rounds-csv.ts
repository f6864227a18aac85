import type { RoundRow } from "../simulate/round-row.ts";

const COLUMNS = [
  "round",
  "purpose",
  "phase",
  "reason",
  "baseVersion",
  "version",
  "staleness",
  "released",
  "offered",
  "ready",
  "cohort",
  "reported",
  "dropouts",
  "refused",
  "secure",
  "numExamples",
  "trainLoss",
  "trainAccuracy",
  "loss",
  "accuracy",
  "scheduleSeconds",
  "selectionSeconds",
  "seconds",
  "clockSeconds",
  "bytesUp",
  "bytesDown",
  "weightsDigest",
] as const satisfies readonly (keyof RoundRow)[];

/** The rounds as CSV (RFC 4180): numbers, names and codes, none of which needs quotes; what is not known is empty. */
export function roundsCsv(rows: readonly RoundRow[]): string {
  const lines = rows.map((row) =>
    [
      ...COLUMNS.map((column) => row[column]),
      row.verdict?.result,
      row.verdict?.lower,
      Object.values(row.ineligible).reduce((sum, devices) => sum + devices, 0),
    ]
      .map((value) => String(value ?? ""))
      .join(","),
  );
  return [[...COLUMNS, "verdict", "verdictLower", "ineligible"].join(","), ...lines]
    .map((line) => `${line}\r\n`)
    .join("");
}
