import type { AuditHead, LogHead } from "@tributary/protocol";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { DraftRecord, RoleRecord, SignedMetadata, TargetRecord } from "../ports/release-records.ts";
import type { TargetChanges } from "../rooms.ts";

/** Where the logs stand that only ever grow. */
export interface LogHeads {
  readonly certificates: LogHead;
  readonly audit: AuditHead;
}

/** What is signed, and what is to be. */
export interface SigningState {
  /** The newest metadata of each role. */
  readonly signed: ReadonlyMap<string, SignedMetadata>;
  readonly roles: ReadonlyMap<string, RoleRecord>;
  readonly targets: readonly TargetRecord[];
  readonly drafts: ReadonlyMap<string, DraftRecord>;
  /** What a timestamp signed now has to say. */
  readonly heads: LogHeads;
}

export async function readSigningState(
  { releases }: Pick<MetadataStore, "releases">,
  heads: LogHeads,
): Promise<SigningState> {
  return {
    signed: byRole(await releases.allLatest()),
    roles: byRole(await releases.roles()),
    drafts: byRole(await releases.drafts()),
    targets: await releases.targets(),
    heads,
  };
}

export function byRole<T extends { readonly role: string }>(records: readonly T[]): ReadonlyMap<string, T> {
  return new Map(records.map((record) => [record.role, record]));
}

/** As it is after targets were put and removed, and roles given other keys. */
export function changedState(
  state: SigningState,
  { put, remove = [] }: TargetChanges,
  roles: readonly RoleRecord[] = [],
): SigningState {
  const gone = new Set(remove);
  const next = new Map<string, TargetRecord>();
  const keyOf = ({ path, role }: TargetRecord): string => JSON.stringify([path, role]);
  for (const target of state.targets) if (!gone.has(target.path)) next.set(keyOf(target), target);
  const seen = new Set<string>();
  for (const target of put) {
    const key = keyOf(target);
    if (gone.has(target.path) || seen.has(key))
      throw new TypeError(`releases: ${target.path} is put twice, or put and removed`);
    seen.add(key);
    next.set(key, target);
  }
  return {
    ...state,
    // In the order of paths, so that the same targets are the same bytes.
    targets: [...next].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, target]) => target),
    roles: new Map([...state.roles, ...roles.map((role): [string, RoleRecord] => [role.role, role])]),
  };
}
