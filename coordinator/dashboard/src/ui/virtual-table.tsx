import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useRef } from "react";
import type { Column } from "./table.tsx";

/** A column of a long table: its width cannot follow from rows that are not there. */
export interface VirtualColumn<Row> extends Column<Row> {
  readonly widthRem: number;
}

interface Props<Row> {
  readonly label: string;
  /** The first names the row. */
  readonly columns: readonly VirtualColumn<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string | number;
  /** How many there are altogether, where more can be read. */
  readonly total?: number | undefined;
  /** On each row, for tests and styles. */
  readonly attributes?: (row: Row) => Readonly<Record<`data-${string}`, string | number | undefined>>;
  /** The last rows are in sight: more can be read. */
  readonly onEnd?: (() => void) | undefined;
  readonly testId?: string;
}

const ROW_HEIGHT = 40;
/** Drawn above and below what is in sight. */
const OVERSCAN = 12;

/** A table of any length: only the rows in sight are in the page. It scrolls by itself, by keyboard too. */
export function VirtualTable<Row>(props: Props<Row>): ReactNode {
  const { label, columns, rows, keyOf, total = rows.length, attributes, onEnd, testId } = props;
  const scroller = useRef<HTMLElement>(null);
  // What it gives is used here alone, and nothing of it is kept.
  // oxlint-disable-next-line react/incompatible-library
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (i) => keyOf(rows[i]!),
    overscan: OVERSCAN,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (last >= rows.length - OVERSCAN) onEnd?.();
  }, [last, rows.length, onEnd]);
  const above = items[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  const width = columns.reduce((sum, { widthRem }) => sum + widthRem, 0);
  return (
    // The table may be longer and wider than its place: it scrolls, in every browser by keyboard too.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <section ref={scroller} className="virtual" tabIndex={0} aria-label={label} data-testid={testId}>
      <table aria-rowcount={total + 1} style={{ minWidth: `${width}rem` }}>
        <colgroup>
          {columns.map(({ title, widthRem }) => (
            <col key={title} style={{ width: `${widthRem}rem` }} />
          ))}
        </colgroup>
        <thead>
          <tr aria-rowindex={1}>
            {columns.map(({ title }) => (
              <th scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {above > 0 && <Room height={above} />}
          {items.map(({ index, key }) => {
            const row = rows[index]!;
            return (
              <tr key={key} aria-rowindex={index + 2} style={{ height: ROW_HEIGHT }} {...attributes?.(row)}>
                {columns.map(({ title, cell }, i) =>
                  i === 0 ? (
                    <th scope="row" key={title}>
                      {cell(row)}
                    </th>
                  ) : (
                    <td key={title}>{cell(row)}</td>
                  ),
                )}
              </tr>
            );
          })}
          {below > 0 && <Room height={below} />}
        </tbody>
      </table>
    </section>
  );
}

/** The place of rows that are not drawn. */
function Room({ height }: { readonly height: number }): ReactNode {
  return <tr aria-hidden="true" className="virtual-room" style={{ height }} />;
}
