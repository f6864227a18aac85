import { failure, type SecureRandom } from "@tributary/core";
import { parseMetadata, type RootMetadata, type TufRole, type TufSigner } from "@tributary/tuf";
import { readOrCreateSigningKey, readSigningKey, requireSigningKey } from "../keys/signing-key.ts";

/** The keys that sign releases, one a role. */
export interface ReleaseKeys {
  readonly targets: TufSigner;
  readonly snapshot: TufSigner;
  readonly timestamp: TufSigner;
  /** Absent where the operator keeps the file elsewhere: it is only needed to renew or rotate the root. */
  readonly root: TufSigner | undefined;
}

const ONLINE_ROLES = ["targets", "snapshot", "timestamp"] as const;

/** All four keys for a first root; files that an interrupted first start left behind are used. */
export async function createReleaseKeys(
  folder: string,
  random: SecureRandom,
): Promise<ReleaseKeys & { readonly root: TufSigner }> {
  return {
    root: await readOrCreateSigningKey(folder, "root", random),
    targets: await readOrCreateSigningKey(folder, "targets", random),
    snapshot: await readOrCreateSigningKey(folder, "snapshot", random),
    timestamp: await readOrCreateSigningKey(folder, "timestamp", random),
  };
}

/**
 * The keys that a stored root names.
 *
 * @throws TributaryError `coordinator/key-missing`, `coordinator/key-mismatch`, or what is wrong with a file.
 */
export async function openReleaseKeys(folder: string, rootBytes: Uint8Array): Promise<ReleaseKeys> {
  const root = (await parseMetadata("root", rootBytes)).signed;
  const keys: ReleaseKeys = {
    root: await readSigningKey(folder, "root"),
    targets: await requireSigningKey(folder, "targets"),
    snapshot: await requireSigningKey(folder, "snapshot"),
    timestamp: await requireSigningKey(folder, "timestamp"),
  };
  for (const role of ONLINE_ROLES) requireNamed(root, role, keys[role]);
  if (keys.root !== undefined) requireNamed(root, "root", keys.root);
  return keys;
}

function requireNamed(root: RootMetadata, role: TufRole, signer: TufSigner): void {
  if (root.roles[role].keyIds.includes(signer.keyId)) return;
  throw failure(
    "coordinator/key-mismatch",
    `coordinator: the ${role} key is ${signer.keyId}, but root version ${root.version} names ${root.roles[role].keyIds.join(", ")}`,
    { detail: { role, keyId: signer.keyId } },
  );
}
