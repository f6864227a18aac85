import type { SearchResult } from "@tributary/api-client";
import { formatNumber, formatPercent } from "../start/format.ts";
import type { TableColumn } from "../table.ts";

const NONE = "-";

/** What was found, as a table: `name` is what `tributary compare` takes. */
export const RESULT_COLUMNS: readonly TableColumn<SearchResult>[] = [
  { title: "kind", cell: ({ kind }) => kind },
  { title: "name", cell: nameOf },
  { title: "state", cell: ({ state }) => state },
  { title: "strategy", cell: ({ strategy }) => strategy ?? NONE },
  { title: "accuracy", align: "right", cell: ({ accuracy }) => formatPercent(accuracy) },
  { title: "loss", align: "right", cell: ({ loss }) => formatNumber(loss, 4) },
  { title: "cohort", align: "right", cell: ({ cohort }) => String(cohort ?? NONE) },
  { title: "examples", align: "right", cell: ({ numExamples }) => String(numExamples ?? NONE) },
  { title: "at", cell: ({ at }) => at.slice(0, 16).replace("T", " ") },
];

/** `digits@12` of a version, a round's id, a task's name. */
export function nameOf({ kind, model, task, version, roundId }: SearchResult): string {
  if (kind === "version") return `${model}@${version}`;
  return (kind === "round" ? roundId : task) ?? NONE;
}
