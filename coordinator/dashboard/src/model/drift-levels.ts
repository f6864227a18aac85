import type { DriftHistory, DriftMetric } from "@tributary/api-client";

export type DriftLevel = "little" | "some" | "much";

export function levelOf(psi: number, { some, much }: DriftHistory["levels"]): DriftLevel {
  if (psi >= much) return "much";
  return psi >= some ? "some" : "little";
}

/** What a figure says, with what chance alone would do in view. */
export function driftSentence({ latest }: DriftMetric, levels: DriftHistory["levels"]): string {
  const level = levelOf(latest.psi, levels);
  if (!latest.beyondNoise) return "no more than chance does to samples of this size";
  return level === "little"
    ? "more than chance, and little by custom"
    : `${level} by custom, and more than chance`;
}

const SUBJECTS: Readonly<Record<DriftMetric["subject"], string>> = {
  feature: "input",
  prediction: "predicted class",
  confidence: "confidence",
  label: "label given by people",
};

/** `input image.mean` */
export function driftTitle({ name, subject }: Pick<DriftMetric, "name" | "subject">): string {
  return subject === "feature" ? `input ${name.replace(/^features\./, "")}` : SUBJECTS[subject];
}

export interface ComparedBar {
  readonly label: string;
  /** Shares, of the largest of both. */
  readonly reference: number;
  readonly now: number;
  readonly referenceShare: number;
  readonly nowShare: number;
}

/** Both histograms as shares side by side, without bins that both leave empty at the ends. */
export function comparedBars({ histogram }: DriftMetric): readonly ComparedBar[] {
  const { edges, reference, now, classes } = histogram;
  const [all, today] = [total(reference), total(now)];
  if (all <= 0 || today <= 0) return [];
  const shares = reference.map((count, i) => ({ before: count / all, after: (now[i] ?? 0) / today }));
  const filled = shares.flatMap(({ before, after }, i) => (before > 0 || after > 0 ? [i] : []));
  const highest = shares.reduce((most, { before, after }) => Math.max(most, before, after), 0);
  const [first, last] = [filled[0] ?? 0, filled.at(-1) ?? 0];
  return shares.slice(first, last + 1).map(({ before, after }, i) => ({
    label:
      classes === null ? binLabel(edges, first + i) : (classes[first + i - 1] ?? binLabel(edges, first + i)),
    reference: before / highest,
    now: after / highest,
    referenceShare: before,
    nowShare: after,
  }));
}

function binLabel(edges: readonly number[], bin: number): string {
  const [low, high] = [edges[bin - 1], edges[bin]];
  if (low === undefined) return `below ${short(high ?? 0)}`;
  return high === undefined ? `from ${short(low)}` : `${short(low)} to ${short(high)}`;
}

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);
const short = (value: number): string => String(Number(value.toPrecision(3)));
