import type { TaskPrivacy } from "@tributary/protocol";
import type { SummedRound } from "../ports/round-repositories.ts";
import type { TaskRecord } from "../ports/task-records.ts";
import { timestamp } from "../registry/views.ts";

/** Rounds that are looked at, and those that are shown one by one. */
export const LOOKED_AT = 10_000;
const SHOWN = 200;

/**
 * What a task's sums hid, and what they did not.
 *
 * @param rounds that ended in a sum, newest first
 */
export function taskPrivacy(
  { name, model }: Pick<TaskRecord, "name" | "model">,
  rounds: readonly SummedRound[],
  metrics: readonly string[],
): TaskPrivacy {
  const plain = rounds.filter(({ threshold }) => threshold === null).length;
  const hidden = rounds.filter((round) => round.private).length;
  const small = rounds.length - plain - hidden;
  const thresholds = rounds.flatMap(({ threshold }) => (threshold === null ? [] : [threshold]));
  const sizes = rounds.map(({ devices }) => devices);
  return {
    task: name,
    model,
    rounds: {
      private: hidden,
      notPrivate: [
        ...(plain > 0 ? [{ why: "plain" as const, rounds: plain }] : []),
        ...(small > 0 ? [{ why: "small-cohort" as const, rounds: small }] : []),
      ],
      smallest: sizes.length === 0 ? null : sizes.reduce((a, b) => Math.min(a, b)),
      largest: sizes.length === 0 ? null : sizes.reduce((a, b) => Math.max(a, b)),
    },
    leastHidden: thresholds.length === 0 ? null : thresholds.reduce((a, b) => Math.min(a, b)),
    cohorts: rounds
      .slice(0, SHOWN)
      .toReversed()
      .map(({ number, purpose, startedAt, devices, private: isPrivate }) => ({
        round: number,
        purpose,
        at: timestamp(startedAt),
        devices,
        private: isPrivate,
      })),
    metrics,
  };
}
