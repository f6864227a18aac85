import { usesControlVariates, type Plan, type TaskSpec } from "@tributary/protocol";

/** What a plan tells devices of when they may be asked, and which of them; nothing where a task has no such rule. */
export function deviceRules(spec: TaskSpec): Pick<Plan, "selection" | "eligibility"> {
  const { selection } = spec;
  const eligibility = usesControlVariates(spec)
    ? { ...spec.eligibility, storage: "durable" as const }
    : spec.eligibility;
  const { minimumSeparationMs, minimumSeparationRounds } = selection;
  const { engines, minMemoryMb, battery, network, localeTags, tags, storage } = eligibility;
  const asksAll =
    engines.length + localeTags.length + tags.length === 0 &&
    minMemoryMb === null &&
    battery === null &&
    storage === undefined &&
    network === "any";
  return {
    ...(minimumSeparationMs === 0 && minimumSeparationRounds === 0
      ? {}
      : { selection: { minimumSeparationMs, minimumSeparationRounds } }),
    ...(asksAll ? {} : { eligibility }),
  };
}
