import { encodeHex, failure } from "@tributary/core";
import {
  addSignatures,
  canonicalJson,
  checkRoot,
  countSignatures,
  createVerifier,
  keyIdOf,
  parseMetadata,
  signingKeyIds,
  type JsonObject,
  type RoleKeySet,
  type SignatureVerifier,
  type TufRole,
  type TufSigner,
} from "@tributary/tuf";
import type { SignedMetadata } from "../ports/release-records.ts";

/** Whether a threshold of keys signed a file, and what it says beside its version and expiry. */

export type FileType = Extract<TufRole, "root" | "targets">;

let shared: Promise<SignatureVerifier> | undefined;
const verifier = (): Promise<SignatureVerifier> => (shared ??= createVerifier());

/** How many of the keys signed a file of a role. */
export async function votesOf(type: TufRole, bytes: Uint8Array, keySet: RoleKeySet): Promise<number> {
  const file = await parseMetadata(type, bytes);
  const keys = new Map(keySet.keys.map((key) => [keyIdOf(key), { keyId: keyIdOf(key), ...key }]));
  const signers = { keyIds: [...keys.keys()], threshold: keys.size };
  return (await countSignatures({ name: "wanted", role: type, keys, signers }, file, await verifier())).valid;
}

export async function isSignedBy(type: TufRole, bytes: Uint8Array, keySet: RoleKeySet): Promise<boolean> {
  return (await votesOf(type, bytes, keySet)) >= (keySet.threshold ?? 1);
}

/** Whether a client that trusts the previous root takes this one (5.3.4, 5.3.5). */
export async function isNextRoot(
  version: number,
  bytes: Uint8Array,
  previous: Uint8Array | undefined,
): Promise<boolean> {
  return await checkRoot(bytes, { version, ...(previous === undefined ? {} : { previous }) }).then(
    () => true,
    () => false,
  );
}

/** Two files with the same content differ in version, expiry and signatures at most. */
export function sameContent(a: Uint8Array, b: Uint8Array): boolean {
  return contentOf(a) === contentOf(b);
}

function contentOf(file: Uint8Array): string {
  const { signed } = JSON.parse(new TextDecoder().decode(file)) as { readonly signed: JsonObject };
  return encodeHex(canonicalJson({ ...signed, version: 0, expires: "" }));
}

/** When a file expires, in milliseconds since the epoch. */
export async function expiryOf({ role, bytes }: Pick<SignedMetadata, "role" | "bytes">): Promise<number> {
  return (await parseMetadata(fileType(role), bytes)).signed.expiresMs;
}

export async function versionOf(role: string, bytes: Uint8Array): Promise<number> {
  return (await parseMetadata(fileType(role), bytes)).signed.version;
}

/** What kind of file a role signs: a delegated one signs targets. */
export function fileType(role: string): TufRole {
  return role === "root" || role === "timestamp" || role === "snapshot" ? role : "targets";
}

/** Signs with those keys that have not signed yet. */
export async function withSignatures(
  file: Uint8Array<ArrayBuffer>,
  signers: readonly TufSigner[],
): Promise<Uint8Array<ArrayBuffer>> {
  const signed = signingKeyIds(file);
  const missing = signers.filter(({ keyId }) => !signed.includes(keyId));
  return missing.length === 0 ? file : await addSignatures(file, missing);
}

/** The keys that a root names for a role, or that targets name for one that they delegate to. */
export async function keySetIn(
  delegator: Uint8Array,
  type: FileType,
  role: string,
): Promise<RoleKeySet | undefined> {
  const { signed } = await parseMetadata(type, delegator);
  const { keys } = signed.role === "root" ? signed : signed.delegations;
  const signers =
    signed.role === "root"
      ? signed.roles[role as TufRole]
      : signed.delegations.roles.find(({ name }) => name === role);
  if (signers === undefined) return undefined;
  const listed = signers.keyIds.flatMap((keyId) => keys.get(keyId) ?? []);
  if (listed.length === signers.keyIds.length) {
    return {
      keys: listed.map(({ keyType, scheme, public: text }) => ({ keyType, scheme, public: text })),
      threshold: signers.threshold,
    };
  }
  throw failure("store/corrupt", `releases: ${role} names keys that its delegator does not list`);
}
