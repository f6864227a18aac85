import { join } from "node:path";
import { failure, type Timer } from "@tributary/core";
import type { LogHead, NewAuditRecord } from "@tributary/protocol";
import { parseMetadata, TUF_ROLES } from "@tributary/tuf";
import { RELEASES_KEPT } from "../housekeeping.ts";
import { traced } from "../observability/tracing/traced.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { ReleaseChange, RoleRecord } from "../ports/release-records.ts";
import type { Releases, RoomContext, TargetChanges } from "../rooms.ts";
import { keysOf, openKeyRing, requireKeys } from "./key-ring.ts";
import { lifetimesOf } from "./lifetimes.ts";
import { signWanted } from "./release-signer.ts";
import { createRoleKeys } from "./role-keys.ts";
import { modelOfPath, modelRole, trainingRole } from "./roles.ts";
import { signedRoles, watchExpiry } from "./role-views.ts";
import { areSigned, requireLogsContinued, signedHeads, storedHeads } from "./signed-heads.ts";
import { changedState, readSigningState, type SigningState } from "./signing-state.ts";

/** How often the age of the signed metadata is looked at. */
export const REFRESH_CHECK_MS = 3_600_000;

/** Setting: the store comes from a backup, and nothing was signed since. */
export const RELEASES_RESTORED = "releasesRestored";
/** Numbers that may have been signed between a backup and its restore: eleven days of a new timestamp every second. */
export const RESTORE_GAP = 1_000_000;

export type ReleasesContext = Pick<RoomContext, "env" | "store"> & {
  readonly config: Pick<RoomContext["config"], "dataDir" | "metadataDays">;
};

const NOTHING: TargetChanges = { put: [] };

/**
 * Opens the signing of releases: keys lie in `<dataDir>/keys`, signed metadata in the store. The first start makes both, with an
 * empty release, so that there is always something verified to read.
 *
 * @throws TributaryError `coordinator/key-…` where keys are missing, readable by others, damaged, or not those of the stored root.
 */
export async function createReleases({ config, env, store }: ReleasesContext): Promise<Releases> {
  const folder = join(config.dataDir, "keys");
  const { clock, log } = env;
  const ring = await openKeyRing(folder, env.random);
  const lifetimes = lifetimesOf(config.metadataDays);

  let queue: Promise<unknown> = Promise.resolve();
  let timer: Timer | undefined;
  let closed = false;

  /** One release at a time: the next begins with the numbers the last one stored. */
  const inTurn = <T>(run: () => Promise<T>): Promise<T> => {
    const turn = queue.then(() => {
      if (closed) throw failure("core/closed", "releases: closed");
      return run();
    });
    queue = turn.catch(() => undefined);
    return turn;
  };

  const current = async (): Promise<SigningState> => readSigningState(store, await storedHeads(store));

  /** Keys for roles that are new: of top-level ones at the first start, of a model's with its first version. */
  const newRoles = async (state: SigningState, { put }: TargetChanges): Promise<RoleRecord[]> => {
    const models = new Set([
      ...(await store.models.list()).map(({ name }) => name),
      ...put.flatMap(({ path }) => modelOfPath(path) ?? []),
    ]);
    const wanted = [
      ...TUF_ROLES.map((role) => ({ role, model: null })),
      ...[...models].flatMap((model) => [
        { role: modelRole(model), model },
        { role: trainingRole(model), model },
      ]),
    ];
    const made: RoleRecord[] = [];
    for (const { role, model } of wanted) {
      if (state.roles.has(role)) continue;
      const [here = await ring.create(role)] = ring.signersOf(role);
      made.push({ role, model, keys: keysOf([here]), threshold: 1 });
    }
    return made;
  };

  const prepare = async (
    changes: TargetChanges,
    options: { readonly gap?: number; readonly roles?: readonly RoleRecord[] } = {},
  ): Promise<ReleaseChange> => {
    const before = await current();
    await requireContinued(before);
    const roles = [...(await newRoles(before, changes)), ...(options.roles ?? [])];
    const { metadata, drafts } = await signWanted(
      changedState(before, changes, roles),
      { ring, lifetimes, clock },
      options,
    );
    return {
      expectedTimestampVersion: before.signed.get("timestamp")?.version ?? null,
      metadata,
      put: changes.put,
      remove: changes.remove ?? [],
      roles,
      drafts,
    };
  };

  const apply = async (change: ReleaseChange, audit: readonly NewAuditRecord[] = []): Promise<void> => {
    const { metadata, roles } = change;
    if (metadata.length === 0 && roles.length === 0 && !(await areOtherDrafts(store, change))) return;
    await store.transaction(async (tx) => {
      await tx.releases.apply(change);
      await tx.audit.append(audit, clock.now());
    });
    // Devices that enrol one after the other make many timestamps, of which only the newest is served.
    if (metadata.some(({ role, version }) => role === "timestamp" && version % RELEASES_KEPT === 0)) {
      await store.releases.prune(RELEASES_KEPT);
    }
  };

  const requireContinued = ({ signed, heads }: SigningState): Promise<void> =>
    requireLogsContinued(store, signed.get("timestamp"), heads);

  const signLogHeads = async (): Promise<LogHead> => {
    const state = await current();
    const signed = await signedHeads(state.signed.get("timestamp"));
    if (areSigned(signed, state.heads)) await requireContinued(state);
    else await apply(await prepare(NOTHING));
    return state.heads.certificates;
  };

  const refresh = async (): Promise<void> => {
    const change = await prepare(NOTHING);
    await apply(change);
    const roles = change.metadata.map(({ role }) => role);
    if (roles.length > 0) log.debug("metadata signed", { roles: roles.join(" ") });
    await expiry.warn(await current());
  };
  const expiry = watchExpiry({ env, ring, lifetimes, folder });

  /** Devices may hold metadata with higher numbers than a backup knows: they are left out, so that none sees a lower one. */
  const signAfterRestore = async (): Promise<void> => {
    if ((await store.settings.get(RELEASES_RESTORED)) !== true) return;
    const change = await prepare(NOTHING, { gap: RESTORE_GAP });
    await store.transaction(async (tx) => {
      await tx.releases.apply(change);
      await tx.settings.set(RELEASES_RESTORED, false);
    });
    const timestamp = change.metadata.find(({ role }) => role === "timestamp");
    log.warn("metadata of a restored backup was signed anew", { timestampVersion: timestamp?.version });
  };

  const watch = (): void => {
    timer = clock.schedule(REFRESH_CHECK_MS, () => {
      inTurn(refresh)
        .catch((error: unknown) => {
          if (!closed) log.error("metadata could not be signed again", { error });
        })
        .finally(() => {
          if (!closed) watch();
        });
    });
  };

  await adoptRootRoles(store);
  requireKeys(folder, ring, await signedRoles(await current()));
  await inTurn(signAfterRestore);
  await inTurn(refresh);
  await inTurn(signLogHeads);
  const first = await store.releases.metadata("root", 1);
  if (first === undefined) throw failure("store/corrupt", "releases: root version 1 is not stored");
  watch();

  return {
    root: first.bytes,
    release: <T>(changes: TargetChanges, commit: (change: ReleaseChange) => Promise<T>) =>
      inTurn(async () => commit(await traced("registry.sign", {}, () => prepare(changes)))),
    signLogHeads: () => inTurn(signLogHeads),
    keys: createRoleKeys({
      ring,
      lifetimes,
      clock,
      current,
      inTurn,
      change: async (roles, audit) => apply(await prepare(NOTHING, { roles }), audit),
      replaceDraft: async (draft, audit) => apply(await prepareWith(draft), audit),
    }),
    async close() {
      timer?.cancel();
      // What was begun ends; what waits is refused.
      closed = true;
      await queue;
    },
  };

  async function prepareWith(draft: ReleaseChange["drafts"][number]): Promise<ReleaseChange> {
    const before = await current();
    await requireContinued(before);
    const state = { ...before, drafts: new Map([...before.drafts, [draft.role, draft]]) };
    const { metadata, drafts } = await signWanted(state, { ring, lifetimes, clock });
    const timestamp = before.signed.get("timestamp")?.version ?? null;
    return { expectedTimestampVersion: timestamp, metadata, drafts, put: [], remove: [], roles: [] };
  }
}

async function areOtherDrafts({ releases }: Pick<MetadataStore, "releases">, { drafts }: ReleaseChange) {
  const stored = await releases.drafts();
  const text = (list: ReleaseChange["drafts"]): string =>
    JSON.stringify(list.map(({ role, bytes }) => `${role} ${new TextDecoder().decode(bytes)}`).sort());
  return text(stored) !== text(drafts);
}

/** A store of before roles could have other keys: its root says who signs. */
async function adoptRootRoles({ releases }: Pick<MetadataStore, "releases">): Promise<void> {
  const root = await releases.latest("root");
  if (root === undefined || (await releases.roles()).length > 0) return;
  const { keys, roles } = (await parseMetadata("root", root.bytes)).signed;
  await releases.apply({
    expectedTimestampVersion: (await releases.latest("timestamp"))?.version ?? null,
    metadata: [],
    put: [],
    remove: [],
    drafts: [],
    roles: TUF_ROLES.map((role) => ({
      role,
      model: null,
      keys: roles[role].keyIds.flatMap((keyId) => {
        const key = keys.get(keyId);
        return key === undefined ? [] : { keyType: key.keyType, scheme: key.scheme, public: key.public };
      }),
      threshold: roles[role].threshold,
    })),
  });
}
