/**
 * Blobs as files of the browser's origin private file system, which takes megabytes without a copy in a database's log.
 * Only a dedicated worker may write there in place, by a sync access handle.
 */
import { digestOf, encodeUtf8, failure, isDigest, type Digest } from "@tributary/core";
import type { BlobCache } from "./device-store.ts";
import { storeError } from "./store-error.ts";

export interface OpfsBlobsOptions {
  /** As the database's: one per coordinator and population. */
  readonly name: string;
  readonly locks: Pick<LockManager, "request">;
  readonly storage: Pick<StorageManager, "getDirectory">;
}

export interface OpfsBlobs extends BlobCache {
  /** Idempotent. Waits for operations under way. */
  close(): Promise<void>;
}

/** All of a site's stores; one folder each in it. */
export const OPFS_FOLDER = "tributary-blobs";

const WHERE = "origin private file system";

/** A download under way, and a blob while it is written: it gets its own name in one step when it is whole. */
const PARTIAL = ".partial";

/** Says that files of this folder can be written and renamed. */
const WRITABLE = "writable";

/** Of workers, and so not in the DOM's types; `move` is in every browser and not yet in the standard. */
interface WorkerFile extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<SyncAccess>;
  move(name: string): Promise<void>;
}

interface SyncAccess {
  getSize(): number;
  truncate(size: number): void;
  write(bytes: Uint8Array, options: { readonly at: number }): number;
  flush(): void;
  close(): void;
}

/** The folder's name: a database's name holds characters that a file's may not. */
export function opfsFolderName(name: string): Promise<string> {
  return digestOf(encodeUtf8(name));
}

/**
 * The blobs in the origin private file system; `undefined` where this browser, or its private window, has none that can be
 * written here.
 */
export async function openOpfsBlobs(options: OpfsBlobsOptions): Promise<OpfsBlobs | undefined> {
  const folderName = await opfsFolderName(options.name);
  /** Looked up with every use: a browser that clears the site takes the folder away under an open page. */
  const openFolder = async (): Promise<FileSystemDirectoryHandle> => {
    const root = await options.storage.getDirectory();
    const all = await root.getDirectoryHandle(OPFS_FOLDER, { create: true });
    return await all.getDirectoryHandle(folderName, { create: true });
  };
  if (!(await canWrite(openFolder))) return undefined;

  const underWay = new Set<Promise<unknown>>();
  let closed = false;
  const use = <T>(work: (folder: FileSystemDirectoryHandle) => Promise<T>): Promise<T> => {
    if (closed) throw failure("store/unavailable", "store: the blobs were closed");
    const result = (async () => {
      try {
        return await work(await openFolder());
      } catch (error) {
        throw storeError(WHERE, error);
      }
    })();
    const settled = result.catch(() => undefined).finally(() => underWay.delete(settled));
    underWay.add(settled);
    return result;
  };
  /** A file has one sync access handle at a time, also across tabs: who changes a blob's files takes turns. */
  const change = async <T>(
    digest: Digest,
    work: (folder: FileSystemDirectoryHandle) => Promise<T>,
  ): Promise<T> =>
    use(
      (folder) =>
        options.locks.request(`${OPFS_FOLDER}/${folderName}/${digest}`, () => work(folder)) as Promise<T>,
    );

  return {
    read: async (digest) => use((folder) => readFile(folder, digest)),
    write: (digest, bytes) =>
      change(digest, async (folder) => {
        const file = await fileIn(folder, digest + PARTIAL);
        try {
          await writeInPlace(file, (access) => {
            access.truncate(0);
            writeAll(access, bytes, 0);
          });
        } catch (error) {
          const availableBytes = (await file.getFile().catch(() => undefined))?.size ?? 0;
          // What a full disk took of it is of no use, but for how much it was.
          await remove(folder, digest + PARTIAL);
          throw storeError(WHERE, error, { availableBytes });
        }
        await replace(folder, file, digest);
      }),
    delete: (digest) =>
      change(digest, async (folder) => {
        await remove(folder, digest);
      }),
    list: async () =>
      use(async (folder) => (await sizesOf(folder)).filter(({ name }) => isDigest(name)).map(asBlob)),
    readPartial: async (digest) => use((folder) => readFile(folder, digest + PARTIAL)),
    appendPartial: (digest, offset, chunk) =>
      change(digest, async (folder) => {
        const file = await fileIn(folder, digest + PARTIAL);
        await writeInPlace(file, (access) => {
          if (offset === 0) access.truncate(0);
          const kept = access.getSize();
          if (kept !== offset) {
            throw new RangeError(`appendPartial: ${kept} bytes are kept, got offset ${offset}`);
          }
          writeAll(access, chunk, offset);
        });
      }),
    deletePartial: (digest) =>
      change(digest, async (folder) => {
        await remove(folder, digest + PARTIAL);
      }),
    listPartials: async () =>
      use(async (folder) => {
        const files = (await sizesOf(folder)).filter(({ name }) => name.endsWith(PARTIAL));
        return files
          .map(({ name, sizeBytes }) => asBlob({ name: name.slice(0, -PARTIAL.length), sizeBytes }))
          .filter(({ digest }) => isDigest(digest));
      }),
    async close() {
      closed = true;
      await Promise.all(underWay);
    },
  };
}

/** Safari's private windows have the methods and refuse; some browsers lack one. Only trying tells, once a folder. */
async function canWrite(openFolder: () => Promise<FileSystemDirectoryHandle>): Promise<boolean> {
  try {
    const folder = await openFolder();
    if ((await readFile(folder, WRITABLE)) !== undefined) return true;
    const probe = await fileIn(folder, `probe-${crypto.randomUUID()}`); // another tab may be trying too
    await writeInPlace(probe, (access) => writeAll(access, Uint8Array.of(1), 0));
    await replace(folder, probe, WRITABLE);
    return true;
  } catch {
    return false;
  }
}

async function fileIn(folder: FileSystemDirectoryHandle, name: string): Promise<WorkerFile> {
  return (await folder.getFileHandle(name, { create: true })) as WorkerFile;
}

async function writeInPlace(file: WorkerFile, work: (access: SyncAccess) => void): Promise<void> {
  const access = await file.createSyncAccessHandle();
  try {
    work(access);
    access.flush();
  } finally {
    access.close();
  }
}

function writeAll(access: SyncAccess, bytes: Uint8Array, at: number): void {
  for (let written = 0; written < bytes.length;) {
    const count = access.write(bytes.subarray(written), { at: at + written });
    // Chromium answers a write that the quota cut off with its error number, read as unsigned.
    if (!(count > 0 && count <= bytes.length - written)) {
      throw new DOMException("the write was cut off", "QuotaExceededError");
    }
    written += count;
  }
}

async function replace(folder: FileSystemDirectoryHandle, file: WorkerFile, name: string): Promise<void> {
  try {
    await file.move(name);
  } catch (error) {
    // Not every browser moves over a file that is there. It held the same bytes, or damaged ones.
    if (!(await remove(folder, name))) throw error;
    await file.move(name);
  }
}

/** Readers hold no handle, so that they wait for nobody; what is replaced while it is read is read once more. */
async function readFile(
  folder: FileSystemDirectoryHandle,
  name: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  for (let attempt = 0; ; attempt++) {
    try {
      const file = await (await folder.getFileHandle(name)).getFile();
      return new Uint8Array(await file.arrayBuffer());
    } catch (error) {
      if (isMissing(error)) return undefined;
      if (attempt > 0 || (error as DOMException).name !== "NotReadableError") throw error;
    }
  }
}

async function sizesOf(folder: FileSystemDirectoryHandle): Promise<{ name: string; sizeBytes: number }[]> {
  const found: { name: string; sizeBytes: number }[] = [];
  for await (const [name, handle] of folder.entries()) {
    if (handle.kind !== "file") continue;
    try {
      found.push({ name, sizeBytes: (await (handle as FileSystemFileHandle).getFile()).size });
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
  return found;
}

/** False where there is none. */
async function remove(folder: FileSystemDirectoryHandle, name: string): Promise<boolean> {
  try {
    await folder.removeEntry(name);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function asBlob({ name, sizeBytes }: { name: string; sizeBytes: number }) {
  return { digest: name as Digest, sizeBytes };
}

function isMissing(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotFoundError";
}
