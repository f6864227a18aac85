import { failure, type Digest } from "@tributary/core";
import { canonicalJson } from "./canonical-json.ts";
import { KEY_ID, parseKeys, parseRole, requireKeyIds, type KeyIdCheck } from "./parse-keys.ts";
import { JsonFields, malformed } from "./json-fields.ts";
import { ownValue } from "./json.ts";
import { METADATA_BOUNDS } from "./limits.ts";
import {
  TUF_ROLES,
  type Delegations,
  type Envelope,
  type MetadataByRole,
  type MetaFile,
  type RoleKeys,
  type RootMetadata,
  type SnapshotMetadata,
  type TargetFile,
  type TargetsMetadata,
  type TimestampMetadata,
  type TufRole,
  type TufSignature,
} from "./metadata.ts";
import { parseStrictJson } from "./strict-json.ts";

const HEX = /^(?:[0-9a-f]{2})*$/i;
const SHA256_HEX = /^[0-9a-f]{64}$/;
const EXPIRES = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/;
const SPEC_VERSION_1 = /^1\.\d{1,4}(?:\.\d{1,4})?$/;

export type MetadataParser = <R extends TufRole>(
  role: R,
  bytes: Uint8Array,
) => Promise<Envelope<MetadataByRole[R]>>;

/**
 * Reads one metadata file of a given role. Nothing is verified yet.
 *
 * Unknown fields are ignored but stay part of what the signatures cover (spec 4).
 *
 * @throws TributaryError `tuf/invalid-metadata`, or `tuf/unsupported-version` for another major version of the spec.
 */
export async function parseMetadata<R extends TufRole>(
  role: R,
  bytes: Uint8Array,
): Promise<Envelope<MetadataByRole[R]>> {
  const json = parseStrictJson(bytes, { maxDepth: METADATA_BOUNDS.maxDepth, label: role });
  const file = new JsonFields(json, role);
  const signed = file.fields("signed");
  const declared = signed.text("_type", { max: 64 });
  if (declared !== role) throw malformed(`${role}.signed._type`, `"${role}"`, declared);
  const specVersion = signed.text("spec_version", { max: 32 });
  if (!SPEC_VERSION_1.test(specVersion)) {
    throw failure("tuf/unsupported-version", `tuf: ${role}: expected spec version 1.x, got ${specVersion}`, {
      detail: { role },
    });
  }
  const checks: KeyIdCheck[] = [];
  const parsed = (await PARSERS[role](signed, checks)) as MetadataByRole[R];
  await requireKeyIds(checks);
  return {
    signed: parsed,
    signedBytes: canonicalJson(signed.object),
    signatures: parseSignatures(file),
    bytes,
  };
}

const PARSERS: {
  readonly [R in TufRole]: (
    signed: JsonFields,
    checks: KeyIdCheck[],
  ) => MetadataByRole[R] | Promise<MetadataByRole[R]>;
} = {
  root: parseRoot,
  timestamp: parseTimestamp,
  snapshot: parseSnapshot,
  targets: parseTargets,
};

/** Spec 4.2: the keyid must be unique in the "signatures" array. */
function parseSignatures(file: JsonFields): TufSignature[] {
  const seen = new Set<string>();
  return file.array("signatures", METADATA_BOUNDS.maxSignatures).map((item, index) => {
    const fields = new JsonFields(item, `${file.path}.signatures[${index}]`);
    const keyId = fields.text("keyid", { max: 64, pattern: KEY_ID });
    if (seen.has(keyId)) throw fields.fail("keyid", "each keyid once");
    seen.add(keyId);
    return {
      keyId,
      signature: fields.text("sig", { max: METADATA_BOUNDS.maxSignatureHex, pattern: HEX }),
    };
  });
}

function parseCommon(signed: JsonFields): { version: number; expiresMs: number } {
  return { version: signed.integer("version", 1), expiresMs: parseExpires(signed) };
}

/** Spec 4.2: "YYYY-MM-DDTHH:MM:SSZ", and a day that exists. */
function parseExpires(signed: JsonFields): number {
  const text = signed.text("expires", { max: 20, pattern: EXPIRES });
  const expiresMs = Date.parse(text);
  if (!Number.isFinite(expiresMs) || formatExpires(expiresMs) !== text) {
    throw signed.fail("expires", "an existing date and time");
  }
  return expiresMs;
}

/** Milliseconds since the epoch to the spec's form; parts of a second are dropped. */
export function formatExpires(expiresMs: number): string {
  return new Date(expiresMs).toISOString().replace(/\.\d{3}Z$/, "Z");
}

function parseRoot(signed: JsonFields, checks: KeyIdCheck[]): RootMetadata {
  const roles = signed.fields("roles");
  return {
    role: "root",
    ...parseCommon(signed),
    consistentSnapshot: signed.flag("consistent_snapshot"),
    keys: parseKeys(signed, checks),
    roles: Object.fromEntries(TUF_ROLES.map((role) => [role, parseRole(roles.fields(role))])) as Record<
      TufRole,
      RoleKeys
    >,
  };
}

function parseTimestamp(signed: JsonFields): TimestampMetadata {
  const snapshot = signed.fields("meta").fields("snapshot.json");
  return {
    role: "timestamp",
    ...parseCommon(signed),
    snapshot: parseMetaFile(snapshot),
    custom: ownValue(signed.object, "custom"),
  };
}

function parseSnapshot(signed: JsonFields): SnapshotMetadata {
  const meta = new Map<string, MetaFile>();
  for (const [name, fields] of signed.fields("meta").entries()) meta.set(name, parseMetaFile(fields));
  if (!meta.has("targets.json")) throw signed.fields("meta").fail("targets.json", "an entry");
  return { role: "snapshot", ...parseCommon(signed), meta };
}

function parseMetaFile(fields: JsonFields): MetaFile {
  return {
    version: fields.integer("version", 1),
    ...(fields.has("length") ? { length: fields.integer("length", 1) } : {}),
    ...(fields.has("hashes") ? { sha256: parseSha256(fields) } : {}),
  };
}

async function parseTargets(signed: JsonFields, checks: KeyIdCheck[]): Promise<TargetsMetadata> {
  const targets = new Map<string, TargetFile>();
  for (const [path, fields] of signed.fields("targets").entries()) {
    if (path === "" || path.length > METADATA_BOUNDS.maxPathLength) {
      throw malformed(
        `${signed.path}.targets`,
        `paths of 1 to ${METADATA_BOUNDS.maxPathLength} characters`,
        path,
      );
    }
    targets.set(path, {
      path,
      length: fields.integer("length", 0),
      sha256: parseSha256(fields),
      custom: ownValue(fields.object, "custom"),
    });
  }
  return {
    role: "targets",
    ...parseCommon(signed),
    targets,
    delegations: await delegationsOf(signed, checks),
  };
}

/** Only who meets delegations loads how they are read. */
async function delegationsOf(signed: JsonFields, checks: KeyIdCheck[]): Promise<Delegations> {
  if (!signed.has("delegations")) return { keys: new Map(), roles: [] };
  const { parseDelegations } = await import("./parse-delegations.ts");
  return parseDelegations(signed, checks);
}

/** Other hashes beside SHA-256 may be listed; one that this client cannot check alone may not. */
function parseSha256(fields: JsonFields): Digest {
  return fields.fields("hashes").text("sha256", { max: 64, pattern: SHA256_HEX }) as Digest;
}
