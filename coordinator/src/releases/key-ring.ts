import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { failure, type SecureRandom } from "@tributary/core";
import type { TufPublicKey, TufSigner } from "@tributary/tuf";
import { corrupt } from "../keys/key-file.ts";
import { createSigningKeyFile, keyMissing, readSigningKeyFile } from "../keys/signing-key.ts";
import type { RoleRecord } from "../ports/release-records.ts";
import { isOnline, isTopLevel } from "./roles.ts";

/** The release keys that lie in a folder. Others of the same roles may lie elsewhere. */
export interface KeyRing {
  /** Those of a role that are here, also keys that nothing names any more. */
  signersOf(role: string): readonly TufSigner[];
  /** Makes a key: the first of a role, or one beside others, in a file that is named by it too. */
  create(role: string, place?: "first" | "beside"): Promise<TufSigner>;
}

const KEY_FILE = /^(.+)\.key\.json$/;
const HEX_DIGITS_IN_NAME = 8;

/** @throws TributaryError `coordinator/key-insecure` or `coordinator/key-corrupt`. */
export async function openKeyRing(folder: string, random: SecureRandom): Promise<KeyRing> {
  const signers = new Map<string, TufSigner[]>();
  const add = (role: string, signer: TufSigner): void => {
    signers.set(role, [...(signers.get(role) ?? []), signer]);
  };
  const names: string[] = await readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  });
  for (const name of names.sort()) {
    const stem = KEY_FILE.exec(name)?.[1];
    if (stem === undefined || stem === "issuer") continue;
    const path = join(folder, name);
    const key = await readSigningKeyFile(path);
    if (key === undefined) continue;
    const { purpose, signer } = key;
    const fits = [stemOf(purpose), rotatedStem(purpose, signer)].includes(stem);
    if (!fits) throw corrupt(path, `it holds a key for ${JSON.stringify(purpose)}`);
    add(purpose, signer);
  }
  return {
    signersOf: (role) => signers.get(role) ?? [],
    async create(role, place = "first") {
      const signer = await createSigningKeyFile(
        (made) => join(folder, `${place === "first" ? stemOf(role) : rotatedStem(role, made)}.key.json`),
        { purpose: role, algorithm: "Ed25519", random },
      );
      add(role, signer);
      return signer;
    },
  };
}

/** No role's name meets another's, nor that of the issuer's file. */
function stemOf(role: string): string {
  return isTopLevel(role) ? role : `role.${role}`;
}

function rotatedStem(role: string, { keyId }: TufSigner): string {
  return `${stemOf(role)}.${keyId.slice(0, HEX_DIGITS_IN_NAME)}`;
}

/**
 * Holds the files of the folder against what is signed: a role that the coordinator signs for at any time needs its keys, and where they
 * are all others the folder belongs to another database.
 *
 * @throws TributaryError `coordinator/key-missing` or `coordinator/key-mismatch`
 */
export function requireKeys(folder: string, ring: KeyRing, signed: Iterable<SignedRole>): void {
  for (const { role, model, keyIds, wantedKeyIds, threshold } of signed) {
    if (!isOnline({ role, model })) continue;
    const here = ring.signersOf(role);
    const named = here.filter(({ keyId }) => keyIds.includes(keyId));
    if (here.length > 0 && !here.some(({ keyId }) => [...keyIds, ...wantedKeyIds].includes(keyId))) {
      throw failure(
        "coordinator/key-mismatch",
        `coordinator: the ${role} key is ${here[0]!.keyId}, but signed metadata names ${keyIds.join(", ")}`,
        { detail: { role, keyId: here[0]!.keyId } },
      );
    }
    if (named.length < threshold) {
      throw keyMissing(join(folder, `${stemOf(role)}.key.json`));
    }
  }
}

/** A role and the keys that signed metadata names for it. */
export interface SignedRole extends Pick<RoleRecord, "role" | "model" | "threshold"> {
  readonly keyIds: readonly string[];
  /** Those that operators named, and that are not signed for yet. */
  readonly wantedKeyIds: readonly string[];
}

/** Of a role's keys those that are here. */
export function signersHere(
  ring: Pick<KeyRing, "signersOf">,
  role: string,
  keyIds: readonly string[],
): readonly TufSigner[] {
  return ring.signersOf(role).filter(({ keyId }) => keyIds.includes(keyId));
}

/** Of signers, as a role lists them. */
export function keysOf(signers: readonly TufSigner[]): readonly TufPublicKey[] {
  return signers.map(({ key }) => key);
}
