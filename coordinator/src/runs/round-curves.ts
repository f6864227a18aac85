import type { RoundView, TaskView } from "@tributary/api-client";

/** The points of one round, by curve: names of groups and figures, the same for every tracker. */
export function roundCurves(round: RoundView): Record<string, number> {
  const values: Record<string, number> = {};
  const put = (name: string, value: number | null): void => {
    if (value !== null && Number.isFinite(value)) values[name] = value;
  };
  const { startedAt, endedAt, seconds } = round;
  put("held-out/loss", round.loss);
  put("held-out/accuracy", round.accuracy);
  put("training/loss", round.trainLoss);
  put("training/accuracy", round.trainAccuracy);
  put("training/examples", round.numExamples);
  for (const name of ["offered", "ready", "cohort", "reported", "dropouts", "refused"] as const)
    put(`devices/${name}`, round[name]);
  put("round/committed", round.phase === "committed" ? 1 : 0);
  put("round/version", round.version);
  put("round/bytes-up", round.bytesUp);
  put("round/bytes-down", round.bytesDown);
  // From the first offer to the end, and before that.
  put("round/seconds", seconds);
  if (endedAt !== null && seconds !== null) {
    const total = (Date.parse(endedAt) - Date.parse(startedAt)) / 1_000;
    put("round/selection-seconds", Math.max(0, total - seconds));
  }
  return values;
}

/** When a round's points were made, in milliseconds. */
export function roundTime({ startedAt, endedAt }: RoundView): number {
  return Date.parse(endedAt ?? startedAt);
}

/** What a task was begun with, one value a name: `local.learningRate`. Lists are JSON; what is null is left out. */
export function runParameters(spec: TaskView["spec"]): Record<string, string | number | boolean> {
  const parameters: Record<string, string | number | boolean> = {};
  const add = (name: string, value: unknown): void => {
    if (typeof value === "number" || typeof value === "boolean" || typeof value === "string")
      parameters[name] = value;
    else if (Array.isArray(value)) parameters[name] = JSON.stringify(value);
    else if (typeof value === "object" && value !== null)
      for (const [key, inner] of Object.entries(value)) add(name === "" ? key : `${name}.${key}`, inner);
  };
  add("", spec);
  return parameters;
}
