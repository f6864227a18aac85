import type { EngineName } from "@tributary/engine";
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
  const { candidate, reason, relativeError, medianMs, message } = choice;
  if (candidate === null) return [];
  // A choice that an earlier release kept says nothing of it.
  const { reference = "ort-wasm" } = choice as Partial<typeof choice>;
  const timeOf = (name: EngineName): number | null => medianMs[name] ?? null;
  return [
    {
      engine: reference,
      verdict: "reference",
      relativeError: null,
      medianMs: timeOf(reference),
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
