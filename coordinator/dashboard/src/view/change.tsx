import type { ReactNode } from "react";
import { formatLossChange, formatPoints } from "../format/numbers.ts";

interface Props {
  readonly kind: "accuracy" | "loss";
  readonly from: number | null | undefined;
  readonly to: number | null | undefined;
}

/** The change against the parent version: better is green, worse is red, and the sign says it without the colour. */
export function Change({ kind, from, to }: Props): ReactNode {
  if (from === null || from === undefined || to === null || to === undefined) return null;
  const difference = to - from;
  const text = kind === "accuracy" ? `${formatPoints(difference)} pts` : formatLossChange(difference);
  const better = kind === "accuracy" ? difference : -difference;
  const threshold = kind === "accuracy" ? 0.0005 : 0.0005;
  const verdict = Math.abs(better) < threshold ? "same" : better > 0 ? "better" : "worse";
  return (
    <span className="change" data-verdict={verdict} title="against the parent version">
      {text}
    </span>
  );
}
