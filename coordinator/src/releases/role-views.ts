import type { Clock, Env } from "@tributary/core";
import type { KeyRoleView } from "@tributary/protocol";
import { keyIdOf, parseMetadata, TUF_ROLES, type RoleKeySet } from "@tributary/tuf";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { RoleRecord } from "../ports/release-records.ts";
import type { KeyRing, SignedRole } from "./key-ring.ts";
import type { Lifetimes } from "./lifetimes.ts";
import { expiryOf, fileType, isSignedBy, keySetIn, sameContent, versionOf, votesOf } from "./role-files.ts";
import { inPriority, isOnline } from "./roles.ts";
import { byRole, type SigningState } from "./signing-state.ts";

export interface RoleViewOptions {
  readonly ring: Pick<KeyRing, "signersOf">;
  readonly lifetimes: Lifetimes;
  readonly clock: Pick<Clock, "now">;
}

/** All roles as operators see them: who signs, until when, and what waits for signatures. */
export async function roleViews(state: SigningState, options: RoleViewOptions): Promise<KeyRoleView[]> {
  const records = [...state.roles.values()];
  const top = TUF_ROLES.flatMap((role) => state.roles.get(role) ?? []);
  const delegated = inPriority(records.filter(({ model }) => model !== null));
  return Promise.all([...top, ...delegated].map((record) => roleView(state, record, options)));
}

async function roleView(
  state: SigningState,
  record: RoleRecord,
  { ring, clock }: RoleViewOptions,
): Promise<KeyRoleView> {
  const { role, model, keys, threshold } = record;
  const signed = state.signed.get(role);
  const expiresMs = signed && (await expiryOf(signed));
  const here = new Set(ring.signersOf(role).map(({ keyId }) => keyId));
  return {
    role,
    model,
    online: isOnline(record),
    threshold,
    keys: keys.map((key) => ({ keyId: keyIdOf(key), scheme: key.scheme, here: here.has(keyIdOf(key)) })),
    version: signed?.version ?? null,
    expiresAt: expiresMs === undefined ? null : new Date(expiresMs).toISOString(),
    expiresInDays: expiresMs === undefined ? null : Math.floor((expiresMs - clock.now()) / DAY_MS),
    waiting: await waitingView(state, record),
  };
}

const DAY_MS = 86_400_000;

/** Roles whose next file waits for signatures, and of how many. */
export async function waitingRoles({ releases }: Pick<MetadataStore, "releases">): Promise<
  readonly (Pick<KeyRoleView, "role" | "model"> & {
    readonly waiting: NonNullable<KeyRoleView["waiting"]>;
  })[]
> {
  const drafts = byRole(await releases.drafts());
  if (drafts.size === 0) return [];
  const signed = byRole(await releases.allLatest());
  const found = await Promise.all(
    (await releases.roles()).map(async (record) => {
      const waiting = await waitingView({ drafts, signed }, record);
      return waiting === null ? [] : [{ role: record.role, model: record.model, waiting }];
    }),
  );
  return found.flat();
}

/** What a role's next file still needs; null where it needs nothing. */
async function waitingView(
  state: Pick<SigningState, "drafts" | "signed">,
  record: RoleRecord,
): Promise<KeyRoleView["waiting"]> {
  const { role, keys, threshold } = record;
  const draft = state.drafts.get(role);
  if (draft === undefined) return null;
  const signed = state.signed.get(role);
  const old = role === "root" && signed ? await keySetIn(signed.bytes, "root", "root") : undefined;
  const signatures = await needs(role, draft.bytes, { keys, threshold }, old);
  // Its own keys have signed; it comes with another role's file, which waits.
  if (signatures.every(({ have, need }) => have >= need)) return null;
  const isRenewal =
    signed !== undefined &&
    sameContent(signed.bytes, draft.bytes) &&
    (await isSignedBy(fileType(role), signed.bytes, { keys, threshold }));
  return {
    version: await versionOf(role, draft.bytes),
    reason: isRenewal ? "renewal" : "change",
    signatures,
  };
}

/** How many of the keys, the new ones and for a root the old ones too, have signed. */
async function needs(
  role: string,
  bytes: Uint8Array,
  wanted: RoleKeySet,
  old: RoleKeySet | undefined,
): Promise<{ readonly have: number; readonly need: number }[]> {
  const sets = [wanted, ...(old === undefined ? [] : [old])];
  return Promise.all(
    sets.map(async (set) => ({ have: await votesOf(fileType(role), bytes, set), need: set.threshold ?? 1 })),
  );
}

/** The keys that signed metadata names for each role. */
export async function signedRoles({ signed, roles }: SigningState): Promise<SignedRole[]> {
  const root = signed.get("root");
  if (root === undefined) return [];
  const targets = signed.get("targets");
  const found: SignedRole[] = [];
  const wantedKeyIds = (role: string): string[] => roles.get(role)?.keys.map(keyIdOf) ?? [];
  for (const role of TUF_ROLES) {
    const { keys, threshold = 1 } = (await keySetIn(root.bytes, "root", role))!;
    found.push({ role, model: null, keyIds: keys.map(keyIdOf), wantedKeyIds: wantedKeyIds(role), threshold });
  }
  if (targets === undefined) return found;
  for (const { name, keyIds, threshold } of (await parseMetadata("targets", targets.bytes)).signed.delegations
    .roles) {
    const model = roles.get(name)?.model ?? null;
    found.push({ role: name, model, keyIds, wantedKeyIds: wantedKeyIds(name), threshold });
  }
  return found;
}

/** Says in the log, once a day, what is about to expire because its keys are not here. */
export function watchExpiry({
  env: { clock, log },
  ring,
  lifetimes,
  folder,
}: Omit<RoleViewOptions, "clock"> & { readonly env: Pick<Env, "clock" | "log">; readonly folder: string }) {
  const told = new Map<string, number>();
  return {
    async warn(state: SigningState): Promise<void> {
      for (const { role, waiting, expiresAt, expiresInDays } of await roleViews(state, {
        ring,
        lifetimes,
        clock,
      })) {
        if (waiting === null || clock.now() - (told.get(role) ?? -Infinity) < DAY_MS) continue;
        told.set(role, clock.now());
        log.warn(
          waiting.reason === "renewal"
            ? `${role} metadata is about to expire and its keys are not all here: put them back, or sign it with "tributary keys"`
            : `${role} metadata waits for signatures of keys that are not here: sign it with "tributary keys"`,
          { folder, role, version: waiting.version, expiresAt, expiresInDays },
        );
      }
    },
  };
}
