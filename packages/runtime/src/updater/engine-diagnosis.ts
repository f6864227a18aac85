import type { EngineName } from "@tributary/engine";
import type { EngineChoiceReason } from "@tributary/engine/check";
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

const VERDICTS: Readonly<Record<EngineChoiceReason, TriedEngine["verdict"]>> = {
  faster: "agrees",
  insisted: "agrees",
  "only-engine": "agrees",
  disagrees: "disagrees",
  failed: "failed",
  "no-sample": "untried",
};

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
      verdict: VERDICTS[reason],
      relativeError,
      medianMs: timeOf(candidate),
      ...(message === undefined ? {} : { message }),
    },
  ];
}
