import type { ModelDiagnosis, TriedEngine } from "../diagnosis.ts";
import type { EngineCheck } from "../engine-provider.ts";

/** How the engine that runs a version was chosen. */
export function engineDiagnosis(
  check: EngineCheck | undefined,
): Pick<ModelDiagnosis, "tried" | "reason" | "remembered"> {
  if (check === undefined) return { tried: [], remembered: false };
  const { choice, remembered } = check;
  return { tried: triedEngines(check), reason: choice.reason, remembered };
}

function triedEngines({ choice }: EngineCheck): TriedEngine[] {
  const { candidate, engine, reason, relativeError, medianMs, message } = choice;
  if (candidate === null) return [];
  // Where the candidate does not run, the reference does.
  const reference = engine === candidate ? Object.keys(medianMs).find((name) => name !== candidate) : engine;
  const timeOf = (name: string): number | null => medianMs[name as keyof typeof medianMs] ?? null;
  return [
    {
      engine: (reference ?? "ort-wasm") as TriedEngine["engine"],
      verdict: "reference",
      relativeError: null,
      medianMs: timeOf(reference ?? "ort-wasm"),
    },
    {
      engine: candidate,
      verdict: reason === "disagrees" || reason === "failed" ? reason : "agrees",
      relativeError,
      medianMs: timeOf(candidate),
      ...(message === undefined ? {} : { message }),
    },
  ];
}
