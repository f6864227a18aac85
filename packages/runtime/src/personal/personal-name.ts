import type { ModelName } from "@tributary/core";

/** What the weights of a device's own for a model are kept as. */
export function personalName(model: ModelName): string {
  return `personal ${model}`;
}
