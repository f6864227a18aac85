import { createReadStream } from "node:fs";
import { failure, systemClock, TributaryError, type Digest } from "@tributary/core";
import { openFolderBlobStore } from "../adapters/blob/folder-blob-store.ts";
import { openSqlMetadataStore } from "../adapters/sql/sql-metadata-store.ts";
import { usedBlobs } from "../collect-blobs.ts";
import { blobFiles } from "./backup-files.ts";

export interface CopiedBlobs {
  readonly count: number;
  readonly sizeBytes: number;
  /** Damaged ones that nothing refers to: left behind. */
  readonly damaged: readonly Digest[];
}

/**
 * Copies blobs from one folder to another, each hashed on the way and durable when it is there; every blob that the database
 * refers to has to be among them.
 *
 * @throws `store/corrupt` for one that is missing or damaged, by name; `store/quota-exceeded`
 */
export async function copyBlobs(from: string, to: string, database: string): Promise<CopiedBlobs> {
  const missing = new Set(await blobsOf(database));
  const target = await openFolderBlobStore({ folder: to });
  const damaged: Digest[] = [];
  let count = 0;
  let sizeBytes = 0;
  try {
    for await (const { digest, path } of blobFiles(from)) {
      try {
        const blob = await target.put(createReadStream(path), { digest });
        sizeBytes += blob.sizeBytes;
      } catch (error) {
        const isDamaged = TributaryError.is(error) && error.code === "store/digest-mismatch";
        if (!isDamaged) throw error;
        if (missing.has(digest)) throw unusable(digest, from, "is damaged");
        damaged.push(digest);
        continue;
      }
      count += 1;
      missing.delete(digest);
    }
  } finally {
    await target.close();
  }
  for (const digest of missing) throw unusable(digest, from, "is missing");
  return { count, sizeBytes, damaged };
}

async function blobsOf(database: string): Promise<ReadonlySet<Digest>> {
  const store = await openSqlMetadataStore({ path: database });
  try {
    return await usedBlobs(store, systemClock.now());
  } finally {
    await store.close();
  }
}

function unusable(digest: Digest, folder: string, what: string): Error {
  return failure("store/corrupt", `backup: blob ${digest} in ${folder} ${what}; nothing was made of it`, {
    detail: { digest },
  });
}
