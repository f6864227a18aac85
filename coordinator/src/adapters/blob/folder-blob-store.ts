import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { createHash, randomUUID } from "node:crypto";
import { asDigest, type Digest, failure, isDigest } from "@tributary/core";
import { storageFailure, syncFolder, writeAll } from "../../durable-files.ts";
import type { BlobStore, ByteRange, PutOptions, StoredBlob } from "../../ports/blob-store.ts";
import type { BlobRef } from "../../ports/model-records.ts";

const DEFAULT_MAX_BYTES = 256 * 1024 * 1024;

/**
 * Blobs as files: `<folder>/ab/abcd…`, written to `<folder>/incoming` first and moved when they are complete and on disk.
 * What a crash left in `incoming` is removed at opening.
 *
 * @throws `store/unavailable` when the folder cannot be used
 */
export async function openFolderBlobStore(options: { readonly folder: string }): Promise<BlobStore> {
  const { folder } = options;
  const incoming = join(folder, "incoming");
  try {
    await mkdir(incoming, { recursive: true, mode: 0o700 });
    for (const left of await readdir(incoming))
      await rm(join(incoming, left), { recursive: true, force: true });
    await syncFolder(folder);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw failure("store/unavailable", `store: ${folder} cannot hold blobs: ${reason}`, { cause });
  }
  return new FolderBlobStore(folder, incoming);
}

/** Files whose bytes are known to have their digest; more are read again when they are asked for. */
const MAX_VERIFIED = 10_000;
/** Read at a time to hash. */
const READ_BYTES = 256 * 1024;

class FolderBlobStore implements BlobStore {
  readonly #folder: string;
  readonly #incoming: string;
  /** What a file was when its bytes were last hashed; oldest first. */
  readonly #verified = new Map<Digest, string>();
  #closed = false;

  constructor(folder: string, incoming: string) {
    this.#folder = folder;
    this.#incoming = incoming;
  }

  async put(source: Uint8Array | AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<BlobRef> {
    this.#requireOpen();
    const temporary = join(this.#incoming, randomUUID());
    try {
      const blob = await writeDurably(temporary, source, options);
      if (options.digest !== undefined && blob.digest !== options.digest)
        throw failure("store/digest-mismatch", `store: bytes of ${options.digest} hash to ${blob.digest}`, {
          detail: { expected: options.digest, got: blob.digest },
        });
      await this.#adopt(temporary, blob.digest);
      return blob;
    } catch (error) {
      await rm(temporary, { force: true });
      throw storageFailure(error);
    }
  }

  async stat(digest: Digest): Promise<BlobRef | undefined> {
    this.#requireOpen();
    try {
      const { size } = await stat(this.#path(digest));
      return { digest, sizeBytes: size };
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw storageFailure(error);
    }
  }

  async stream(digest: Digest, range?: ByteRange): Promise<Readable> {
    const handle = await this.#open(digest);
    try {
      const { size } = await handle.stat();
      await this.#verify(digest, handle);
      if (range !== undefined && !(range.start >= 0 && range.start <= range.end && range.end < size))
        throw new RangeError(
          `blob ${digest}: range ${range.start}-${range.end} does not lie within its ${size} bytes`,
        );
      return createReadStream("", { fd: handle, ...range });
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async bytes(
    digest: Digest,
    { maxBytes = DEFAULT_MAX_BYTES }: { readonly maxBytes?: number } = {},
  ): Promise<Uint8Array<ArrayBuffer>> {
    const handle = await this.#open(digest);
    try {
      const { size } = await handle.stat();
      if (size > maxBytes)
        throw failure(
          "store/too-large",
          `store: blob ${digest} has ${size} bytes, at most ${maxBytes} were asked for`,
        );
      const bytes = new Uint8Array(size);
      let filled = 0;
      while (filled < size) {
        const { bytesRead } = await handle.read(bytes, filled, size - filled, filled);
        if (bytesRead === 0)
          throw failure("store/corrupt", `store: blob ${digest} ends after ${filled} of ${size} bytes`);
        filled += bytesRead;
      }
      const got = createHash("sha256").update(bytes).digest("hex");
      if (got !== digest) throw corrupt(digest, got);
      return bytes;
    } catch (error) {
      throw storageFailure(error);
    } finally {
      await handle.close();
    }
  }

  async *list(): AsyncGenerator<StoredBlob> {
    this.#requireOpen();
    for (const shard of await readdir(this.#folder)) {
      if (!/^[0-9a-f]{2}$/.test(shard)) continue;
      for (const name of await readdir(join(this.#folder, shard))) {
        if (!isDigest(name)) continue;
        const found = await stat(this.#path(name)).catch((error: unknown) => {
          if (isMissing(error)) return undefined;
          throw storageFailure(error);
        });
        if (found !== undefined) yield { digest: name, sizeBytes: found.size, putAt: found.mtimeMs };
      }
    }
  }

  async delete(digest: Digest): Promise<boolean> {
    this.#requireOpen();
    try {
      await unlink(this.#path(digest));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw storageFailure(error);
    }
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #path(digest: Digest): string {
    // Also when a caller was careless with its types: no path leaves the folder.
    return join(this.#folder, asDigest(digest).slice(0, 2), digest);
  }

  async #open(digest: Digest): Promise<FileHandle> {
    this.#requireOpen();
    try {
      return await open(this.#path(digest), "r");
    } catch (error) {
      if (isMissing(error))
        throw failure("store/not-found", `store: there is no blob ${digest}`, { cause: error });
      throw storageFailure(error);
    }
  }

  /** Moves a complete file to its name; the name is on disk when this returns. */
  async #adopt(temporary: string, digest: Digest): Promise<void> {
    const shard = join(this.#folder, digest.slice(0, 2));
    if ((await mkdir(shard, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(this.#folder);
    await rename(temporary, this.#path(digest));
    await syncFolder(shard);
  }

  /**
   * Reads all of a file that was not read since the start, or is not the one that was: before its first byte is given out.
   *
   * @throws `store/corrupt`
   */
  async #verify(digest: Digest, handle: FileHandle): Promise<void> {
    const { size, mtimeMs, ino } = await handle.stat();
    const identity = `${ino} ${size} ${mtimeMs}`;
    if (this.#verified.get(digest) === identity) return;
    const hash = createHash("sha256");
    const stream = handle.createReadStream({ start: 0, autoClose: false, highWaterMark: READ_BYTES });
    for await (const chunk of stream) hash.update(chunk as Uint8Array);
    const got = hash.digest("hex");
    if (got !== digest) throw corrupt(digest, got);
    this.#verified.delete(digest);
    this.#verified.set(digest, identity);
    const [oldest] = this.#verified.keys();
    if (this.#verified.size > MAX_VERIFIED && oldest !== undefined) this.#verified.delete(oldest);
  }

  #requireOpen(): void {
    if (this.#closed) throw failure("store/closed", "store: the blob store was closed");
  }
}

/** Writes and fsyncs a new file, hashing on the way. */
async function writeDurably(
  path: string,
  source: Uint8Array | AsyncIterable<Uint8Array>,
  { maxBytes = Number.MAX_SAFE_INTEGER, signal }: PutOptions,
): Promise<BlobRef> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const file = await open(path, "wx", 0o600);
  try {
    for await (const chunk of source instanceof Uint8Array ? [source] : source) {
      signal?.throwIfAborted();
      sizeBytes += chunk.byteLength;
      if (sizeBytes > maxBytes)
        throw failure(
          "store/too-large",
          `store: a blob of at most ${maxBytes} bytes was expected, got more`,
          {
            detail: { maxBytes },
          },
        );
      hash.update(chunk);
      await writeAll(file, chunk);
    }
    signal?.throwIfAborted();
    await file.sync();
  } finally {
    await file.close();
  }
  return { digest: asDigest(hash.digest("hex")), sizeBytes };
}

function corrupt(digest: Digest, got: string): Error {
  return failure(
    "store/corrupt",
    `store: blob ${digest} is damaged, its bytes hash to ${got}; copy ${digest.slice(0, 2)}/${digest} back from a backup`,
    { detail: { digest, got } },
  );
}

const isMissing = (error: unknown) => (error as NodeJS.ErrnoException | null)?.code === "ENOENT";
