import type { BufferView, TaskView } from "@tributary/api-client";
import { formatCount } from "../format/numbers.ts";

/** What a task's mode is, in a few words. */
export function modeWords({ spec: { mode } }: TaskView): string {
  if (mode.type === "synchronous") return "synchronous";
  return `buffered, a version of every ${formatCount(mode.bufferSize ?? 0)} updates`;
}

/** A buffer in sentences: how full it is, what is trained from, what was discarded. */
export function bufferSentence({ updates, bufferSize, head, superseded }: BufferView): string {
  const held = `${formatCount(updates)} of ${formatCount(bufferSize)} updates wait for version ${head + 1}.`;
  if (superseded === 0) return held;
  const were = superseded === 1 ? "finished update was" : "finished updates were";
  return `${held} ${formatCount(superseded)} ${were} superseded: their version could fill no cohort.`;
}

/** How much of the next version is there, from 0 to 1. */
export function bufferShare({ updates, bufferSize }: BufferView): number {
  return Math.min(1, updates / bufferSize);
}

/** "1 version old". */
export function stalenessWords({ staleness }: Pick<BufferView["cohorts"][number], "staleness">): string {
  if (staleness === 0) return "fresh";
  return `${staleness === 1 ? "1 version" : `${staleness} versions`} old`;
}
