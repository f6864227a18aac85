import { asModelVersion, failure, isModelVersion, type Env, type ModelName } from "@tributary/core";
import {
  CANDIDATE,
  FIXED_ALIASES,
  MAX_ALIASES,
  NEWEST,
  type AuditActor,
  type NewAuditRecord,
  type VersionOrAlias,
} from "@tributary/protocol";
import type { Bus } from "../ports/bus.ts";
import type { MetadataRepositories, MetadataStore } from "../ports/metadata-store.ts";
import type { AliasRecord, VersionRecord } from "../ports/model-records.ts";
import { aliasEvent, timestamp } from "./views.ts";

export interface AliasServices {
  readonly store: MetadataStore;
  readonly bus: Pick<Bus, "publish">;
  readonly env: Pick<Env, "clock" | "log">;
}

/**
 * The version of a model by its number or what it is called.
 *
 * @throws `coordinator/unknown-model`, `coordinator/unknown-version`, `coordinator/unknown-alias`
 */
export async function versionOf(
  store: Pick<MetadataStore, "models" | "versions" | "aliases">,
  name: ModelName,
  wanted: VersionOrAlias,
): Promise<VersionRecord> {
  const model = await store.models.get(name);
  if (model === undefined)
    throw failure("coordinator/unknown-model", `registry: no model "${name}"`, { detail: { model: name } });
  const number =
    typeof wanted === "number"
      ? wanted
      : wanted === NEWEST
        ? model.currentVersion
        : (await store.aliases.get(name, wanted))?.version;
  if (number === undefined) throw unknownAlias(name, String(wanted));
  const version = await store.versions.get(name, number);
  if (version !== undefined) return version;
  throw failure("coordinator/unknown-version", `registry: version ${number} of "${name}": there is none`, {
    detail: { model: name, version: number },
  });
}

/** A version in a path: `7` or `champion`. */
export function versionInPath(text: string): VersionOrAlias {
  const number = Number(text);
  return isModelVersion(number) ? asModelVersion(number) : text;
}

/**
 * Gives a version a name, which no other version of the model has from here on.
 *
 * @throws `coordinator/unknown-model`, `coordinator/unknown-version`, `coordinator/unknown-alias`, `coordinator/too-many-aliases`,
 *   `coordinator/alias-fixed` for those of `FIXED_ALIASES`
 */
export async function moveAlias(
  services: AliasServices,
  model: ModelName,
  name: string,
  wanted: VersionOrAlias,
  by: AuditActor,
  also?: (tx: MetadataRepositories, at: number) => Promise<void>,
): Promise<AliasRecord> {
  const { store, env } = services;
  const { version } = await versionOf(store, model, wanted);
  if (FIXED_ALIASES.has(name)) throw aliasFixed(model, name);
  const alias = { model, name, version, movedAt: env.clock.now() };
  await change(services, alias, async (tx) => {
    const aliases = await tx.aliases.list(model);
    const before = aliases.find((each) => each.name === name)?.version ?? null;
    if (before === null && aliases.length >= MAX_ALIASES)
      throw failure(
        "coordinator/too-many-aliases",
        `registry: "${model}" has ${aliases.length} aliases, at most ${MAX_ALIASES} are kept; remove one before "${name}" is given`,
        { detail: { model, alias: name, maxAliases: MAX_ALIASES } },
      );
    await tx.aliases.move(alias);
    await also?.(tx, alias.movedAt);
    return aliasRecord(by, "alias.move", alias, { before });
  });
  return alias;
}

/** @throws `coordinator/unknown-model`, `coordinator/unknown-alias`, `coordinator/alias-fixed` for those of `FIXED_ALIASES` */
export async function removeAlias(
  services: AliasServices,
  model: ModelName,
  name: string,
  by: AuditActor,
): Promise<void> {
  const { store, env } = services;
  if ((await store.models.get(model)) === undefined)
    throw failure("coordinator/unknown-model", `registry: no model "${model}"`, { detail: { model } });
  if (FIXED_ALIASES.has(name)) throw aliasFixed(model, name);
  await change(services, { model, name, version: null, movedAt: env.clock.now() }, async (tx) => {
    const before = await tx.aliases.get(model, name);
    if (before === undefined) throw unknownAlias(model, name);
    await tx.aliases.remove(model, name);
    return aliasRecord(by, "alias.remove", before, {});
  });
}

/** Has `candidate` name the newest version that a gate of the model waits for. To be called where a gate moved. */
export async function followCandidate(
  tx: Pick<MetadataRepositories, "tasks" | "aliases">,
  model: ModelName,
  at: number,
): Promise<void> {
  const waiting = (await tx.tasks.list()).flatMap((task) =>
    task.model === model && task.gate?.candidate ? [task.gate.candidate] : [],
  );
  if (waiting.length === 0) {
    await tx.aliases.remove(model, CANDIDATE);
    return;
  }
  const version = asModelVersion(Math.max(...waiting));
  if ((await tx.aliases.get(model, CANDIDATE))?.version === version) return;
  await tx.aliases.move({ model, name: CANDIDATE, version, movedAt: at });
}

async function change(
  { store, bus, env }: AliasServices,
  alias: Omit<AliasRecord, "version"> & { readonly version: AliasRecord["version"] | null },
  write: (tx: MetadataRepositories) => Promise<NewAuditRecord>,
): Promise<void> {
  const { model, name, version, movedAt } = alias;
  const events = await store.transaction(async (tx) => {
    await tx.audit.append([await write(tx)], movedAt);
    return tx.events.append([aliasEvent({ model, name, version, at: timestamp(movedAt) })], movedAt);
  });
  env.log.info("registry: alias moved", { model, alias: name, version });
  for (const event of events) await bus.publish("event", event);
}

function aliasRecord(
  actor: AuditActor,
  action: "alias.move" | "alias.remove",
  { model, name, version }: AliasRecord,
  detail: NonNullable<NewAuditRecord["detail"]>,
): NewAuditRecord {
  return { actor, action, object: { model, version, alias: name }, detail };
}

function unknownAlias(model: ModelName, alias: string): Error {
  return failure("coordinator/unknown-alias", `registry: no version of "${model}" is called "${alias}"`, {
    detail: { model, alias },
  });
}

function aliasFixed(model: ModelName, alias: string): Error {
  return failure(
    "coordinator/alias-fixed",
    `registry: the coordinator itself says which version of "${model}" is "${alias}"`,
    { detail: { model, alias } },
  );
}
