import { failure, sha256, type Clock } from "@tributary/core";
import {
  invalidDocument,
  type AuditActor,
  type KeyRoleView,
  type NewAuditRecord,
  type PublicKeyBody,
} from "@tributary/protocol";
import { keyIdOf, mergeSignatures, type TufPublicKey } from "@tributary/tuf";
import { OPERATOR_BY_PROCESS } from "../audit/actors.ts";
import { keysGiven } from "../audit/records.ts";
import type { DraftRecord, RoleRecord } from "../ports/release-records.ts";
import { keysOf, type KeyRing } from "./key-ring.ts";
import type { Lifetimes } from "./lifetimes.ts";
import { keySetIn, sameContent, votesOf, fileType, versionOf } from "./role-files.ts";
import { roleViews } from "./role-views.ts";
import { isOnline } from "./roles.ts";
import type { SigningState } from "./signing-state.ts";

/** What operators do with the keys of the release. `by` is who does it, for the audit log: who runs the process, by default. */
export interface RoleKeys {
  views(): Promise<KeyRoleView[]>;
  /** @throws `coordinator/unknown-role` */
  publicKeys(role: string): Promise<readonly PublicKeyBody[]>;
  /**
   * Gives a role other keys, or another threshold. It holds at once where the keys that are here sign for it, else with the signatures
   * of the others.
   *
   * @throws `coordinator/unknown-role`, `coordinator/invalid-role-keys`
   */
  set(
    role: string,
    wanted: { readonly keys?: readonly TufPublicKey[]; readonly threshold?: number },
    by?: AuditActor,
  ): Promise<KeyRoleView>;
  /** A new key here, in the place of those that are here. @throws `coordinator/unknown-role` */
  rotate(role: string, by?: AuditActor): Promise<KeyRoleView>;
  /** The next file of a role that waits for signatures. @throws `coordinator/unknown-role`, `coordinator/nothing-to-sign` */
  draft(role: string): Promise<DraftRecord & { readonly version: number }>;
  /**
   * Adds the signatures of a copy of the draft.
   *
   * @throws `coordinator/nothing-to-sign`, `coordinator/draft-outdated`, `coordinator/signature-invalid`, `tuf/invalid-metadata`
   */
  sign(role: string, file: Uint8Array, by?: AuditActor): Promise<KeyRoleView>;
}

export interface RoleKeysOptions {
  readonly ring: KeyRing;
  readonly lifetimes: Lifetimes;
  readonly clock: Pick<Clock, "now">;
  readonly current: () => Promise<SigningState>;
  readonly inTurn: <T>(run: () => Promise<T>) => Promise<T>;
  /** Signs and stores what follows from other keys, and who gave them. */
  readonly change: (roles: readonly RoleRecord[], audit: readonly NewAuditRecord[]) => Promise<void>;
  readonly replaceDraft: (draft: DraftRecord, audit: readonly NewAuditRecord[]) => Promise<void>;
}

const MAX_KEYS = 32;

export function createRoleKeys(options: RoleKeysOptions): RoleKeys {
  const { ring, current, inTurn } = options;

  const viewOf = async (role: string): Promise<KeyRoleView> => {
    const views = await roleViews(await current(), options);
    return views.find((view) => view.role === role)!;
  };
  const recordOf = async (role: string): Promise<RoleRecord> => {
    const record = (await current()).roles.get(role);
    if (record !== undefined) return record;
    throw failure("coordinator/unknown-role", `keys: nobody signs for a role ${JSON.stringify(role)}`, {
      detail: { role },
    });
  };
  const draftOf = async (role: string): Promise<DraftRecord> => {
    await recordOf(role);
    const draft = (await current()).drafts.get(role);
    if (draft !== undefined) return draft;
    throw failure("coordinator/nothing-to-sign", `keys: ${role} waits for no signatures`, {
      detail: { role },
    });
  };
  const replace = async (
    record: RoleRecord,
    by: AuditActor,
    action: "key.set" | "key.rotate",
  ): Promise<KeyRoleView> => {
    requireUsable(record, ring);
    await options.change([record], keysGiven(by, action, [record]));
    return await viewOf(record.role);
  };

  return {
    publicKeys: (role) => inTurn(async () => (await recordOf(role)).keys as readonly PublicKeyBody[]),
    views: () => inTurn(async () => roleViews(await current(), options)),
    set: (role, { keys, threshold }, by = OPERATOR_BY_PROCESS) =>
      inTurn(async () => {
        const record = await recordOf(role);
        const wanted = { keys: keys ?? record.keys, threshold: threshold ?? record.threshold };
        return await replace({ ...record, ...wanted }, by, "key.set");
      }),
    rotate: (role, by = OPERATOR_BY_PROCESS) =>
      inTurn(async () => {
        const record = await recordOf(role);
        const here = new Set(ring.signersOf(role).map(({ keyId }) => keyId));
        const elsewhere = record.keys.filter((key) => !here.has(keyIdOf(key)));
        const made = await ring.create(role, "beside");
        return await replace({ ...record, keys: [...keysOf([made]), ...elsewhere] }, by, "key.rotate");
      }),
    draft: (role) =>
      inTurn(async () => {
        const draft = await draftOf(role);
        return { ...draft, version: await versionOf(role, draft.bytes) };
      }),
    sign: (role, file, by = OPERATOR_BY_PROCESS) =>
      inTurn(async () => {
        const draft = await draftOf(role);
        const state = await current();
        await requireMetadata(role, file);
        if (!sameFile(draft.bytes, file)) {
          const version = await versionOf(role, file);
          const expected = await versionOf(role, draft.bytes);
          throw failure(
            "coordinator/draft-outdated",
            `keys: version ${version} of ${role} that was signed is not the version ${expected} that waits now; export it again`,
            { detail: { role, version, expected } },
          );
        }
        const merged = mergeSignatures(draft.bytes, file);
        await requireNewVotes(state, role, draft.bytes, merged);
        const detail = { version: await versionOf(role, merged), file: sha256(merged) };
        await options.replaceDraft({ role, bytes: merged }, [
          { actor: by, action: "key.sign", object: { role }, detail },
        ]);
        return await viewOf(role);
      }),
  };
}

/** @throws `protocol/invalid-document` where a file is no metadata of the role */
async function requireMetadata(role: string, file: Uint8Array): Promise<void> {
  try {
    await versionOf(role, file);
  } catch {
    throw invalidDocument("signed draft", "/file", `is no metadata of ${role}`);
  }
}

/** Not only the same content: also number and expiry, which the signatures cover. */
function sameFile(a: Uint8Array, b: Uint8Array): boolean {
  if (!sameContent(a, b)) return false;
  const signed = (file: Uint8Array): unknown => {
    const { version, expires } = (
      JSON.parse(new TextDecoder().decode(file)) as { signed: Record<string, unknown> }
    ).signed;
    return JSON.stringify([version, expires]);
  };
  return signed(a) === signed(b);
}

/** @throws `coordinator/signature-invalid` where nothing was added that counts */
async function requireNewVotes(
  { signed, roles }: SigningState,
  role: string,
  before: Uint8Array,
  after: Uint8Array,
): Promise<void> {
  const root = signed.get("root");
  const { keys, threshold } = roles.get(role)!;
  const old = role === "root" && root ? await keySetIn(root.bytes, "root", "root") : undefined;
  const all = [...keys, ...(old?.keys ?? [])];
  const type = fileType(role);
  const [was, is] = [
    await votesOf(type, before, { keys: all, threshold }),
    await votesOf(type, after, { keys: all, threshold }),
  ];
  if (is > was) return;
  throw failure(
    "coordinator/signature-invalid",
    `keys: the file holds no valid signature of ${role} that was not there yet; sign it with one of ${all.map(keyIdOf).join(", ")}`,
    { detail: { role } },
  );
}

/** @throws `coordinator/invalid-role-keys` */
function requireUsable(record: RoleRecord, ring: KeyRing): void {
  const { role, keys, threshold } = record;
  const invalid = (why: string): Error =>
    failure("coordinator/invalid-role-keys", `keys: ${role}: ${why}`, { detail: { role } });
  const ids = new Set(keys.map(keyIdOf));
  if (keys.length === 0 || keys.length > MAX_KEYS) throw invalid(`expected 1 to ${MAX_KEYS} keys`);
  if (ids.size !== keys.length) throw invalid("a key is listed twice");
  if (!Number.isSafeInteger(threshold) || threshold < 1 || threshold > keys.length)
    throw invalid(`expected a threshold of 1 to ${keys.length}, as many keys as there are, got ${threshold}`);
  const here = ring.signersOf(role).filter(({ keyId }) => ids.has(keyId)).length;
  if (isOnline(record) && here < threshold)
    throw invalid(
      `the coordinator signs it by itself, which needs ${threshold} of its keys here, there would be ${here}`,
    );
}
