import { asModelVersion, type ModelName, type ModelVersion, type TaskName } from "@tributary/core";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";

type Rows = Pick<MetadataStore, "rounds" | "settings">;

/** Setting: numbers that devices may know from the time after a backup that was restored. */
export const NUMBERS_TAKEN = "numbersTaken";

/** Every round up to here, of each task, and every version, of each model, counts as taken. */
export type NumbersTaken = {
  readonly rounds: Readonly<Record<string, number>>;
  readonly versions: Readonly<Record<string, number>>;
};

/** The number of a task's next round. */
export async function nextRoundNumber(store: Rows, task: TaskName): Promise<number> {
  const last = await store.rounds.lastNumber(task);
  return Math.max(last, (await numbersTaken(store)).rounds[task] ?? 0) + 1;
}

/** The number of a model's next version, whichever one it grows out of. */
export async function nextVersionNumber(
  store: Pick<MetadataStore, "settings" | "versions">,
  model: ModelName,
): Promise<ModelVersion> {
  const newest = await newestVersion(store, model);
  return asModelVersion(Math.max(newest, (await numbersTaken(store)).versions[model] ?? 0) + 1);
}

/** The highest number of a model's versions; 0 where it has none. */
export async function newestVersion(
  { versions }: Pick<MetadataRepositories, "versions">,
  model: ModelName,
): Promise<number> {
  const [newest] = await versions.list(model, { limit: 1 });
  return newest?.version ?? 0;
}

export async function numbersTaken({ settings }: Pick<Rows, "settings">): Promise<NumbersTaken> {
  // Written by a restore alone.
  const taken = (await settings.get(NUMBERS_TAKEN)) as NumbersTaken | undefined;
  return taken ?? { rounds: {}, versions: {} };
}
