import type { ComparedSubject } from "@tributary/protocol";
import type { CourseRound } from "../ports/round-repositories.ts";

/** Points of a curve at most: more than a chart has pixels for. */
export const CURVE_POINTS = 400;

type Curve = ComparedSubject["curve"];

/** The course of a task as a curve: of many rounds evenly spread ones, the first and the last among them. */
export function thinCurve(rounds: readonly CourseRound[], most = CURVE_POINTS): Curve {
  const [first] = rounds;
  let examples = 0;
  const points = rounds.map(({ number, version, startedAt, endedAt, numExamples, ...measured }) => {
    examples += numExamples;
    const seconds = ((endedAt ?? startedAt) - first!.startedAt) / 1000;
    return { round: number, version, seconds, examples, ...measured };
  });
  if (points.length <= most) return { points, rounds: rounds.length };
  const step = (points.length - 1) / (most - 1);
  return {
    points: Array.from({ length: most }, (_, i) => points[Math.round(i * step)]!),
    rounds: rounds.length,
  };
}
