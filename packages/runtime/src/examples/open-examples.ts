/** All that keeps examples: loaded by their first use, so that a page that only runs models does not ship it. */
import { createExamples, type Examples, type ExamplesOptions } from "./examples.ts";
import { exportExamples } from "./export-examples.ts";
import { readDrafts } from "./read-drafts.ts";

export interface ExamplesPart {
  readonly kept: Examples;
  readonly readDrafts: typeof readDrafts;
  readonly exportExamples: typeof exportExamples;
}

export function openExamples(options: ExamplesOptions): ExamplesPart {
  return { kept: createExamples(options), readDrafts, exportExamples };
}
