import type { Plan, TaskSpec } from "@tributary/protocol";

/** What a plan tells devices of when they may be asked, and which of them; nothing where a task has no such rule. */
export function deviceRules({ selection, eligibility }: TaskSpec): Pick<Plan, "selection" | "eligibility"> {
  const { minimumSeparationMs, minimumSeparationRounds } = selection;
  const { engines, minMemoryMb, battery, network, localeTags, tags } = eligibility;
  const asksAll =
    engines.length + localeTags.length + tags.length === 0 &&
    minMemoryMb === null &&
    battery === null &&
    network === "any";
  return {
    ...(minimumSeparationMs === 0 && minimumSeparationRounds === 0
      ? {}
      : { selection: { minimumSeparationMs, minimumSeparationRounds } }),
    ...(asksAll ? {} : { eligibility }),
  };
}
