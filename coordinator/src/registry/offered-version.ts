import { failure, type ModelName, type ModelVersion } from "@tributary/core";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { VersionRecord } from "../ports/model-records.ts";
import { weightsPath } from "../releases/target-paths.ts";

/**
 * A version whose files devices can download.
 *
 * @throws `coordinator/unknown-version`, `coordinator/version-retired` where its files have left the release
 */
export async function requireOffered(
  { versions, releases }: Pick<MetadataStore, "versions" | "releases">,
  model: ModelName,
  version: ModelVersion,
): Promise<VersionRecord> {
  const record = await versions.get(model, version);
  const detail = { model, version };
  if (record === undefined)
    throw failure(
      "coordinator/unknown-version",
      `registry: version ${version} of "${model}": there is none`,
      {
        detail,
      },
    );
  if ((await releases.target(weightsPath(model, version))) === undefined)
    throw failure(
      "coordinator/version-retired",
      `registry: version ${version} of "${model}" was retired by the model's retention rule: its files have left the release`,
      { detail },
    );
  return record;
}
