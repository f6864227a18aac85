import {
  signSnapshotAndTimestamp,
  signTargets,
  type DelegationOptions,
  type TufSigner,
} from "../src/index.ts";
import { DAY_MS, newSigner, START_MS, targetOf, type Repository } from "./repository.ts";

/** What a role signs: its own targets, and who else may sign some. */
export interface Signed {
  readonly targets?: readonly string[];
  readonly delegations?: readonly (Omit<DelegationOptions, "keys"> & { readonly by?: TufSigner[] })[];
  readonly signers?: readonly TufSigner[];
  readonly version?: number;
  readonly expiresMs?: number;
}

/** A key for each delegated role, unless a test says otherwise. */
const keys = new Map<string, TufSigner>();
async function keyOf(role: string): Promise<TufSigner> {
  const known = keys.get(role) ?? (await newSigner());
  keys.set(role, known);
  return known;
}

export async function sign(repository: Repository, name: string, signed: Signed): Promise<Uint8Array> {
  const { targets = [], delegations = [], version = 1, expiresMs = START_MS + DAY_MS } = signed;
  return signTargets({
    version,
    expiresMs,
    targets: targets.map((path) => targetOf(path)),
    delegations: await Promise.all(
      delegations.map(async ({ by, ...delegation }) => ({
        ...delegation,
        keys: (by ?? [await keyOf(delegation.name)]).map(({ key }) => key),
      })),
    ),
    signers: signed.signers ?? (name === "targets" ? repository.keys.targets : [await keyOf(name)]),
  });
}

/** The next release, of the top-level role and of delegated ones. */
export async function publish(
  repository: Repository,
  top: Signed,
  roles: Readonly<Record<string, Signed>> = {},
  nowMs = START_MS,
): Promise<void> {
  const before = repository.versions!;
  const version = before.targets + 1;
  const targets = await sign(repository, "targets", { version, expiresMs: nowMs + 90 * DAY_MS, ...top });
  const delegated = new Map<string, { version: number; bytes: Uint8Array }>();
  for (const [name, signed] of Object.entries(roles)) {
    const file = {
      version: signed.version ?? 1,
      bytes: await sign(repository, name, { expiresMs: nowMs + DAY_MS, ...signed }),
    };
    delegated.set(name, file);
    repository.files.set(`${file.version}.${name}.json`, file.bytes);
  }
  const rest = await signSnapshotAndTimestamp({
    previous: before,
    targets: { version, bytes: targets },
    delegated,
    expiresMs: { snapshot: nowMs + 30 * DAY_MS, timestamp: nowMs + 7 * DAY_MS },
    signers: repository.keys,
  });
  repository.versions = { targets: version, ...rest.versions };
  repository.files.set(`${version}.targets.json`, targets);
  repository.files.set(`${rest.versions.snapshot}.snapshot.json`, rest.snapshot);
  repository.files.set("timestamp.json", rest.timestamp);
}
