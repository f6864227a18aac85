import type { CompareView } from "@tributary/api-client";

export const AXES = ["round", "version", "seconds", "examples"] as const;
export type Axis = (typeof AXES)[number];
export const MEASURES = ["accuracy", "loss", "trainAccuracy", "trainLoss"] as const;
export type Measure = (typeof MEASURES)[number];

export const AXIS_WORDS: Readonly<Record<Axis, string>> = {
  round: "round",
  version: "version",
  seconds: "time",
  examples: "examples",
};
export const MEASURE_WORDS: Readonly<Record<Measure, string>> = {
  accuracy: "Accuracy",
  loss: "Loss",
  trainAccuracy: "Accuracy in training",
  trainLoss: "Loss in training",
};

export interface OverlaidCurves {
  readonly x: readonly number[];
  /** Of each subject, by x; null between its points. */
  readonly lines: readonly (readonly (number | null)[])[];
}

/** Curves of all that is compared over one axis: wherever one of them has a point. */
export function overlaidCurves(
  subjects: CompareView["subjects"],
  axis: Axis,
  measure: Measure,
): OverlaidCurves {
  const places = new Set<number>();
  const lines = subjects.map(({ curve }) => {
    const line = new Map<number, number>();
    for (const point of curve.points) {
      const [at, value] = [point[axis], point[measure]];
      if (at === null || value === null) continue;
      places.add(at);
      line.set(at, value);
    }
    return line;
  });
  const x = [...places].toSorted((a, b) => a - b);
  return { x, lines: lines.map((line) => x.map((at) => line.get(at) ?? null)) };
}

/** Measures that any of them has a figure of. */
export function measuresOf(subjects: CompareView["subjects"]): readonly Measure[] {
  return MEASURES.filter((measure) =>
    subjects.some(({ curve }) => curve.points.some((point) => point[measure] !== null)),
  );
}
