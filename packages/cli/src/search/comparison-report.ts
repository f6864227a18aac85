import type { CompareView } from "@tributary/api-client";
import { counted } from "../counted.ts";
import { tableLines, type TableColumn } from "../table.ts";

const NONE = "-";

/** What is compared, for people: parameters, metrics, and what can be said of their differences. */
export function comparisonReport(view: CompareView, { all }: { readonly all: boolean }): string[] {
  const { subjects, parameters, metrics, differences, confidence } = view;
  const columns = <Row>(cell: (row: Row, subject: number) => string): TableColumn<Row>[] =>
    subjects.map(({ ref }, i) => ({ title: ref, cell: (row) => cell(row, i) }));
  const shown = parameters.filter(({ differs }) => all || differs);
  const versions = subjects.map(({ ref, kind, model, version }) =>
    kind === "version" ? ref : `${ref}: ${version === null ? "no version yet" : `${model}@${version}`}`,
  );
  const lines = [versions.join(", ")];
  if (shown.length === 0) lines.push("", "no parameter differs");
  else
    lines.push(
      "",
      ...tableLines(
        [
          { title: "parameter", cell: ({ path }) => path },
          ...columns<(typeof shown)[number]>(({ values }, i) => values[i] ?? NONE),
        ],
        shown,
      ),
    );
  if (metrics.length > 0)
    lines.push(
      "",
      ...tableLines(
        [
          { title: `metric (${confidence * 100} % interval)`, cell: ({ name }) => name },
          ...columns<(typeof metrics)[number]>(({ values }, i) => measured(values[i] ?? null)),
        ],
        metrics,
      ),
    );
  if (differences.length === 0) return [...lines, "", "nothing was measured of them on the same data"];
  lines.push("");
  for (const { metric, first, second, method, ...found } of differences) {
    const pair = `${subjects[second]!.ref} less ${subjects[first]!.ref}`;
    const how = method === "paired" ? "on the same examples" : "as of independent samples";
    lines.push(
      `${found.significant ? "differs" : "may be chance"}  ${metric}  ${pair}: ${signed(found.difference)}, from ${signed(found.lower)} to ${signed(found.upper)}, p ${found.p.toPrecision(2)}, ${found.adjustedP.toPrecision(2)} among all pairs (${counted(found.examples, "example")}, ${how})`,
    );
  }
  return lines;
}

function measured(value: CompareView["metrics"][number]["values"][number]): string {
  if (value === null) return NONE;
  const { value: mean, lower, upper } = value;
  const interval = lower === null || upper === null ? "" : ` (${lower.toFixed(4)} to ${upper.toFixed(4)})`;
  return `${mean.toFixed(4)}${interval}`;
}

const signed = (value: number): string => `${value < 0 ? "" : "+"}${value.toFixed(4)}`;
