import type { ModelName } from "@tributary/core";

/** How the names of what was learned from a model's examples begin. */
export function trainingPrefix(model: ModelName): string {
  return `training ${model} `;
}
