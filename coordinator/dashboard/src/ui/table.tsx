import type { ReactNode } from "react";

/** A table that may be wider than a phone: its region scrolls, in every browser by keyboard too. */
export function TableRegion({
  label,
  children,
}: {
  readonly label: string;
  readonly children: ReactNode;
}): ReactNode {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <section className="scroll" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}

export interface Column<Row> {
  /** Empty for buttons, which say what they do. */
  readonly title: string;
  /** Words begin at their left, figures end at their right. */
  readonly text?: boolean;
  readonly cell: (row: Row) => ReactNode;
}

interface Props<Row> {
  readonly label: string;
  /** The first names the row. */
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string | number;
  /** On a phone rows stay rows, and the table scrolls: of figures that are compared along a column. @defaultValue false */
  readonly wide?: boolean;
}

/**
 * Rows, the first column as their heads. On a phone each is a block of its own, with the column's title beside each value, so that no
 * button lies out of sight.
 */
export function Table<Row>({ label, columns, rows, keyOf, wide = false }: Props<Row>): ReactNode {
  return (
    <TableRegion label={label}>
      <table className={wide ? undefined : "stacks"}>
        <thead>
          <tr>
            {columns.map(({ title, text }) => (
              <th scope="col" className={text === true ? "words" : undefined} key={title}>
                {title === "" ? <span className="visually-hidden">Actions</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)}>
              {columns.map(({ title, text, cell }, i) =>
                i === 0 ? (
                  <th scope="row" key={title}>
                    {cell(row)}
                  </th>
                ) : (
                  <td data-title={title} className={text === true ? "words" : undefined} key={title}>
                    {cell(row)}
                  </td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </TableRegion>
  );
}
