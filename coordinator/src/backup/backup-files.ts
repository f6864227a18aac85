import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { cp, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { asDigest, failure, isDigest, type Digest } from "@tributary/core";
import { DigestSchema, parseDocument, parseJson } from "@tributary/protocol";
import Type, { type Static } from "typebox";

/** What a data directory and a backup are made of. */
export const DATABASE = "tributary.db";
export const BLOBS = "blobs";
/** Whoever has these can sign, enrol and operate. */
const SECRETS = ["keys", "operator-token"];
export const MANIFEST = "backup.json";

const MAX_MANIFEST_BYTES = 64 * 1024;

/** Written last: a folder without it is no backup. */
export const BackupManifest = Type.Object(
  {
    format: Type.Literal(1),
    /** Milliseconds since the epoch. */
    createdAt: Type.Integer({ minimum: 0 }),
    software: Type.String({ maxLength: 64 }),
    database: Type.Object({ digest: DigestSchema, sizeBytes: Type.Integer({ minimum: 0 }) }),
    blobs: Type.Object({ count: Type.Integer({ minimum: 0 }), sizeBytes: Type.Integer({ minimum: 0 }) }),
    /** Whether the signing keys, the enrolment secrets and the operator token are in it. */
    keys: Type.Boolean(),
  },
  { additionalProperties: false },
);
export type BackupManifest = Static<typeof BackupManifest>;

/** @throws `coordinator/backup-unusable` */
export async function readManifest(folder: string): Promise<BackupManifest> {
  const path = join(folder, MANIFEST);
  try {
    return parseDocument(
      "backup",
      BackupManifest,
      parseJson("backup", await readFile(path), MAX_MANIFEST_BYTES),
    );
  } catch (cause) {
    throw failure(
      "coordinator/backup-unusable",
      `backup: ${folder} is no complete backup: ${MANIFEST} is missing or not what this version reads`,
      { detail: { folder }, cause },
    );
  }
}

/** Blobs as they lie in a folder; their bytes are not looked at. A running coordinator may write meanwhile. */
export async function* blobFiles(
  folder: string,
): AsyncGenerator<{ readonly digest: Digest; readonly path: string }> {
  for (const shard of (await readdir(folder)).toSorted()) {
    if (!/^[0-9a-f]{2}$/.test(shard)) continue;
    for (const name of (await readdir(join(folder, shard))).toSorted())
      if (isDigest(name)) yield { digest: name, path: join(folder, shard, name) };
  }
}

/** Signing keys, enrolment secrets and the operator token, as far as they are there; modes stay as they are. */
export async function copySecrets(from: string, to: string): Promise<void> {
  for (const name of SECRETS)
    if (existsSync(join(from, name)))
      await cp(join(from, name), join(to, name), { recursive: true, preserveTimestamps: true });
}

export async function digestOfFile(
  path: string,
): Promise<{ readonly digest: Digest; readonly sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk as Uint8Array);
    sizeBytes += (chunk as Uint8Array).length;
  }
  return { digest: asDigest(hash.digest("hex")), sizeBytes };
}
