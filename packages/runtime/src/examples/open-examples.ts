/** All that keeps examples: loaded by their first use, so that a page that only runs models does not ship it. */
import type { ModelName } from "@tributary/core";
import type { DeviceStore } from "../store/device-store.ts";
import { trainingPrefix } from "./training-prefix.ts";
import { createExamples, type Examples, type ExamplesOptions } from "./examples.ts";
import { exportExamples } from "./export-examples.ts";
import { readDrafts } from "./read-drafts.ts";

export interface ExamplesPart {
  readonly kept: Examples;
  /** Erases the examples of a model, and trainings on them that were interrupted. */
  clear(model: ModelName): Promise<void>;
  readonly readDrafts: typeof readDrafts;
  readonly exportExamples: typeof exportExamples;
}

export function openExamples(
  options: ExamplesOptions & { readonly store: Pick<DeviceStore, "learned"> },
): ExamplesPart {
  const kept = createExamples(options);
  return {
    kept,
    async clear(model) {
      await kept.clear(model);
      for (const { name } of await options.store.learned.list()) {
        if (name.startsWith(trainingPrefix(model))) await options.store.learned.delete(name);
      }
    },
    readDrafts,
    exportExamples,
  };
}
