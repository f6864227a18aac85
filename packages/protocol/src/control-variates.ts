import type { TaskSpec } from "./documents.ts";

/** Whether a task's devices keep control variates from round to round: SCAFFOLD's do. */
export function usesControlVariates({ strategy, kind }: Pick<TaskSpec, "strategy" | "kind">): boolean {
  return kind === "train" && strategy.name === "scaffold";
}
