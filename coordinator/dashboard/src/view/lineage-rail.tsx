import type { ReactNode } from "react";
import type { LineageRow } from "../model/lineage.ts";

const LANE_WIDTH = 16;

interface Props {
  readonly row: LineageRow;
  readonly lanes: number;
  /** Nothing is drawn below. */
  readonly last: boolean;
  readonly current: boolean;
}

/** The piece of the family tree beside one version: vertical lines in percent, so that it fits any row height. */
export function LineageRail({ row, lanes, last, current }: Props): ReactNode {
  const x = (lane: number): number => lane * LANE_WIDTH + LANE_WIDTH / 2;
  const at = x(row.lane);
  return (
    <div className="rail-box" style={{ width: lanes * LANE_WIDTH }} aria-hidden="true">
      <svg className="rail" width={lanes * LANE_WIDTH} focusable="false">
        {row.passing.map((lane) => (
          <line key={lane} x1={x(lane)} y1="0" x2={x(lane)} y2="100%" />
        ))}
        {row.children.map((lane) => (
          <line key={lane} x1={x(lane)} y1="0" x2={at} y2="14" />
        ))}
        {row.continues && !last && <line x1={at} y1="14" x2={at} y2="100%" />}
        <circle cx={at} cy="14" r={current ? 6 : 4.5} data-current={current || undefined} />
      </svg>
    </div>
  );
}
