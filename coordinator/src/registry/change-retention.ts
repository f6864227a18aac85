import { asModelVersion, type Env, type ModelName, type ModelVersion } from "@tributary/core";
import {
  DEFAULT_RETENTION,
  parseVersionFile,
  type AuditActor,
  type RetentionPreview,
  type RetentionRule,
  type RetentionView,
} from "@tributary/protocol";
import { retentionChanged } from "../audit/records.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { ModelRecord } from "../ports/model-records.ts";
import { weightsPath } from "../releases/target-paths.ts";
import type { Releases } from "../rooms.ts";
import { everyVersion } from "./every-version.ts";
import { keptVersions, offeredHeads, retiredPaths } from "./retention.ts";

/** The rule of a model, and the versions that can be downloaded. */
export async function retentionView(
  store: MetadataStore,
  { name, retention }: ModelRecord,
  now: number,
): Promise<RetentionView> {
  const kept = await keptVersions(store, name, { now });
  return {
    rule: retention ?? DEFAULT_RETENTION,
    offered: (await offeredVersions(store, name)).map((version) => ({
      version,
      reasons: kept.get(version) ?? [],
    })),
  };
}

/** What another rule would take out of the release and delete, if it came now. */
export async function previewRetention(
  store: MetadataStore,
  {
    model: { name, retention },
    rule,
    now,
  }: { readonly model: ModelRecord; readonly rule: RetentionRule; readonly now: number },
): Promise<RetentionPreview> {
  const kept = await keptVersions(store, name, { now, rule });
  const leaving = (await offeredVersions(store, name)).filter((version) => !kept.has(version));
  return { leaving, filesDeletedOf: rule.deleteFiles ? await newlyDeleted() : [] };

  async function newlyDeleted(): Promise<ModelVersion[]> {
    const deletedNow = retention?.deleteFiles === true;
    const keptNow = deletedNow ? await keptVersions(store, name, { now }) : undefined;
    const versions: ModelVersion[] = [];
    for await (const { version } of everyVersion(store, name))
      if (!kept.has(version) && keptNow?.has(version) !== false) versions.push(version);
    return versions;
  }
}

/** Versions that can be downloaded, newest first. */
async function offeredVersions(
  { releases }: Pick<MetadataStore, "releases">,
  model: ModelName,
): Promise<ModelVersion[]> {
  // Two roles may sign for one file.
  const versions = (await releases.targets()).flatMap(({ path }) => {
    const file = parseVersionFile(path);
    const version = file && asModelVersion(file.version);
    return version !== undefined && path === weightsPath(model, version) ? [version] : [];
  });
  return [...new Set(versions)].toSorted((a, b) => b - a);
}

/** What does not stay by the new rule leaves the release with it. */
export async function changeRetention(
  services: {
    readonly store: MetadataStore;
    readonly env: Pick<Env, "clock" | "log">;
    readonly releases: Pick<Releases, "release">;
  },
  change: { readonly model: ModelRecord; readonly rule: RetentionRule; readonly by: AuditActor },
): Promise<void> {
  const { store, env, releases } = services;
  const { rule, by } = change;
  const model = change.model.name;
  const now = env.clock.now();
  const kept = await keptVersions(store, model, { now, rule });
  const heads = new Set(await offeredHeads(store, model));
  const paths = (await store.releases.targets()).map(({ path }) => path);
  const remove = retiredPaths(paths, model, { kept: new Set(kept.keys()), heads });
  await releases.release({ put: [], remove }, (release) =>
    store.transaction(async (tx) => {
      await tx.models.setRetention(model, rule);
      await tx.releases.apply(release);
      await tx.audit.append([retentionChanged(by, model, rule)], now);
    }),
  );
  env.log.info("registry: retention changed", { model, ...rule, retired: remove.length });
}
