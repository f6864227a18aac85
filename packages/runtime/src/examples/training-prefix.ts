import type { ModelName } from "@tributary/core";

const TRAINING = "training ";

/** How the names of what was learned from a model's examples begin. */
export function trainingPrefix(model: ModelName): string {
  return `${TRAINING}${model} `;
}

/** Whether that is a training for rounds, whichever model it is of. */
export function isTraining(name: string): boolean {
  return name.startsWith(TRAINING);
}
