import type { ReactNode } from "react";
import type { LineageRow } from "../../model/lineage.ts";

const LANE_WIDTH = 16;
/** Where a version's dot lies in its row. */
const DOT = 18;

export type Mark = "current" | "withdrawn" | undefined;

interface Props {
  readonly row: LineageRow;
  readonly lanes: number;
  readonly height: number;
  /** Nothing is drawn below. */
  readonly last: boolean;
  readonly mark: Mark;
}

/** The piece of the family tree beside one version; what it shows is told in words beside it. */
export function LineageRail({ row, lanes, height, last, mark }: Props): ReactNode {
  const x = (lane: number): number => lane * LANE_WIDTH + LANE_WIDTH / 2;
  const at = x(row.lane);
  const width = lanes * LANE_WIDTH;
  return (
    <svg className="rail" width={width} height={height} aria-hidden="true" focusable="false">
      {row.passing.map((lane) => (
        <line key={lane} x1={x(lane)} y1="0" x2={x(lane)} y2={height} />
      ))}
      {row.children.map((lane) => (
        <line key={lane} x1={x(lane)} y1="0" x2={at} y2={DOT} />
      ))}
      {row.continues && !last && <line x1={at} y1={DOT} x2={at} y2={height} />}
      <circle cx={at} cy={DOT} r={mark === "current" ? 6 : 4.5} data-mark={mark} />
      {mark === "withdrawn" && <path d={`M${at - 3} ${DOT - 3}l6 6m0-6l-6 6`} className="rail-cross" />}
    </svg>
  );
}
