import { asModelVersion, type ModelName, type ModelVersion } from "@tributary/core";
import type { RoundConfig } from "@tributary/federation";
import {
  DEFAULT_RETENTION,
  MAX_DELTAS,
  parseDeltaPath,
  type RetentionReason,
  type RetentionRule,
} from "@tributary/protocol";
import { waitsForSignatures } from "../releases/is-signed.ts";
import type { MetadataRepositories } from "../ports/metadata-store.ts";

const DAY_MS = 86_400_000;

/**
 * From which of the releases before on its channel there are deltas to a new one, the last being 1: whoever was away for longer takes
 * several, and a delta over five versions is less than half of five deltas. Each costs every device some 200 bytes of metadata.
 */
export const RELEASES_BACK: readonly number[] = [1, 5, 20];

type Rows = Pick<
  MetadataRepositories,
  "models" | "versions" | "channels" | "aliases" | "tasks" | "rounds" | "releases" | "rollouts"
>;

/** Versions that stay, and why. */
export type KeptVersions = ReadonlyMap<ModelVersion, readonly RetentionReason[]>;

/**
 * The versions of a model that stay in the release: by its rule, and whatever the rule says those that a device may still need.
 *
 * @param options.next - a version that is about to be stored
 * @param options.rule - in the place of the stored one
 */
export async function keptVersions(
  store: Rows,
  model: ModelName,
  options: { readonly now: number; readonly next?: ModelVersion; readonly rule?: RetentionRule },
): Promise<KeptVersions> {
  const { now, next } = options;
  const stored = await store.models.get(model);
  const rule = options.rule ?? stored?.retention ?? DEFAULT_RETENTION;
  const kept = new Map<ModelVersion, RetentionReason[]>();
  const keep = (reason: RetentionReason, versions: Iterable<number | null | undefined>): void => {
    for (const each of versions) {
      if (typeof each !== "number") continue;
      const version = asModelVersion(each);
      const reasons = kept.get(version) ?? [];
      if (!reasons.includes(reason)) kept.set(version, [...reasons, reason]);
    }
  };
  const newest = new Set(next === undefined ? [] : [next]);
  for (const { version } of await store.versions.list(model, { limit: rule.newest })) newest.add(version);
  keep("newest", [...newest].slice(0, rule.newest));
  // Training may have been reset to an older one.
  keep("training", [stored?.currentVersion]);
  const heads = await store.channels.list(model);
  keep("channel", versionsOf(heads));
  const tried = await triedVersions(store, model);
  keep("rollout", tried);
  keep("alias", versionsOf(await store.aliases.list(model)));
  if (rule.releasedWithinDays > 0) {
    const since = now - rule.releasedWithinDays * DAY_MS;
    const released = await store.channels.history(model);
    keep("recently-released", versionsOf(released.filter(({ releasedAt }) => releasedAt >= since)));
  }
  // Devices follow what was signed before, which is one of these.
  if (await waitsForSignatures(store, model))
    keep("signatures", versionsOf(await store.channels.history(model)));
  for (const { name } of heads) {
    const history = await store.channels.history(model, { name, limit: Math.max(...RELEASES_BACK) });
    keep(
      "delta-base",
      RELEASES_BACK.flatMap((back) => history[back - 1]?.version ?? []),
    );
  }
  const paths = (await store.releases.targets()).map(({ path }) => path);
  keep("delta-base", basesOfDeltas(model, paths, [...versionsOf(heads), ...tried]));
  for (const { model: of, gate, spec } of await store.tasks.list()) {
    if (of !== model) continue;
    keep("gate", [gate?.reference, gate?.candidate]);
    keep("task", typeof spec.candidate === "number" ? [spec.candidate] : []);
  }
  for (const round of await store.rounds.open()) {
    if (round.model !== model) continue;
    const { measurement } = round.config as unknown as Partial<RoundConfig>;
    keep("round", [round.baseVersion, measurement?.candidate?.version]);
  }
  return kept;
}

/** Versions that rollouts under way try, or compare with. */
export async function triedVersions(
  { rollouts }: Pick<MetadataRepositories, "rollouts">,
  model: ModelName,
): Promise<readonly ModelVersion[]> {
  return (await rollouts.underWay(model)).flatMap(({ config, state }) => [
    config.control,
    ...state.arms.flatMap(({ ended, version }) => (ended === null ? [version] : [])),
  ]);
}

/** What devices are to run: what channels point to, and rollouts try. */
export async function offeredHeads(
  store: Pick<MetadataRepositories, "channels" | "rollouts">,
  model: ModelName,
): Promise<readonly ModelVersion[]> {
  return [...versionsOf(await store.channels.list(model)), ...(await triedVersions(store, model))];
}

function versionsOf(records: readonly { readonly version: ModelVersion }[]): readonly ModelVersion[] {
  return records.map(({ version }) => version);
}

/** From where deltas lead to what channels point to. */
function basesOfDeltas(
  model: ModelName,
  paths: readonly string[],
  heads: readonly ModelVersion[],
): readonly number[] {
  const wanted = new Set<number>(heads);
  return paths.flatMap((path) => {
    const delta = path.startsWith(`models/${model}/`) ? parseDeltaPath(path) : undefined;
    return delta !== undefined && wanted.has(delta.version) ? [delta.from] : [];
  });
}

/**
 * Paths of a model's versions that leave the release: files of versions that do not stay, and deltas to them, but for deltas on a way
 * from a version that stays to one that a channel points to.
 *
 * @param paths - all of the release, those that are about to enter it as well
 */
export function retiredPaths(
  paths: Iterable<string>,
  model: ModelName,
  { kept, heads }: { readonly kept: ReadonlySet<number>; readonly heads: ReadonlySet<number> },
): string[] {
  const folder = `models/${model}/versions/`;
  const own = Array.from(paths).filter((path) => path.startsWith(folder));
  const needed = deltasOnTheWay(own, kept, heads);
  return own.filter((path) => {
    const version = Number(/^(\d+)\//.exec(path.slice(folder.length))?.[1]);
    return version > 0 && !kept.has(version) && !needed.has(path);
  });
}

/** Deltas that a device may apply, one after the other, to get from one of these versions to one of those. */
function deltasOnTheWay(
  paths: readonly string[],
  from: ReadonlySet<number>,
  to: ReadonlySet<number>,
): ReadonlySet<string> {
  const deltas = paths.flatMap((path) => {
    const parsed = parseDeltaPath(path);
    return parsed === undefined ? [] : [{ path, file: parsed.name, from: parsed.from, to: parsed.version }];
  });
  const onTheWay = new Set<string>();
  for (const [, edges] of Map.groupBy(deltas, ({ file }) => file)) {
    const ahead = stepsFrom(from, edges);
    const behind = stepsFrom(
      to,
      edges.map((edge) => ({ from: edge.to, to: edge.from })),
    );
    for (const edge of edges) {
      const steps = (ahead.get(edge.from) ?? Infinity) + 1 + (behind.get(edge.to) ?? Infinity);
      if (steps <= MAX_DELTAS) onTheWay.add(edge.path);
    }
  }
  return onTheWay;
}

/** In how many steps versions are reached, as far as devices go. */
function stepsFrom(
  start: ReadonlySet<number>,
  edges: readonly { readonly from: number; readonly to: number }[],
): ReadonlyMap<number, number> {
  const steps = new Map<number, number>();
  for (const version of start) steps.set(version, 0);
  for (let step = 1; step < MAX_DELTAS; step++)
    for (const { from, to } of edges) if (steps.get(from) === step - 1 && !steps.has(to)) steps.set(to, step);
  return steps;
}
