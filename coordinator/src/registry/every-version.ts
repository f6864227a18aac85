import type { ModelName } from "@tributary/core";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { VersionRecord } from "../ports/model-records.ts";

/** Rows that are read at a time. */
const PAGE = 500;

/** All versions of a model, newest first. */
export async function* everyVersion(
  { versions }: Pick<MetadataStore, "versions">,
  model: ModelName,
): AsyncGenerator<VersionRecord> {
  for (let page = await versions.list(model, { limit: PAGE }); page.length > 0;) {
    yield* page;
    page = await versions.list(model, { limit: PAGE, before: page.at(-1)!.version });
  }
}
