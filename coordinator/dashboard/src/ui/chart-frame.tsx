import { type ReactNode, useId, useState } from "react";
import { csv } from "../format/csv.ts";
import { ChartIcon, DownloadIcon, TableIcon } from "./icons.tsx";
import { type Column, Table } from "./table.tsx";

/** A column of a chart's table: what is shown, and what goes into a file. */
export interface FigureColumn<Row> extends Column<Row> {
  readonly value: (row: Row) => string | number | null;
}

interface Props<Row> {
  readonly title: string;
  /** The first names the row. */
  readonly columns: readonly FigureColumn<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string | number;
  /** Beside the title. */
  readonly note?: ReactNode;
  readonly testId?: string;
  /** The chart. */
  readonly children: ReactNode;
}

/** A chart in a card. One button shows the same figures as a table, another saves them as a file. */
export function ChartFrame<Row>(props: Props<Row>): ReactNode {
  const { title, columns, rows, keyOf, note, testId, children } = props;
  const [asTable, setAsTable] = useState(false);
  const heading = useId();
  return (
    <section className="card chart" aria-labelledby={heading} data-testid={testId}>
      <div className="card-head">
        <h2 id={heading}>{title}</h2>
        {note}
        <div className="card-tools">
          <button
            type="button"
            className="icon-button"
            aria-label={asTable ? `${title} as a chart` : `${title} as a table`}
            title={asTable ? "As a chart" : "As a table"}
            disabled={rows.length === 0}
            onClick={() => setAsTable(!asTable)}
          >
            {asTable ? <ChartIcon /> : <TableIcon />}
          </button>
          <button
            type="button"
            className="icon-button"
            aria-label={`Save ${title} as CSV`}
            title="Save as CSV"
            disabled={rows.length === 0}
            onClick={() => save(`${title}.csv`, csv(columns, rows))}
          >
            <DownloadIcon />
          </button>
        </div>
      </div>
      {asTable ? (
        <div className="chart-table">
          <Table label={`Table of ${title}`} columns={columns} rows={rows} keyOf={keyOf} wide />
        </div>
      ) : (
        children
      )}
    </section>
  );
}

/** Hands text to the browser as a file. */
export function save(name: string, text: string, type = "text/csv"): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
