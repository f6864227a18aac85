import blockingFs, { statSync, truncateSync } from "node:fs";
import fs, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

// A device in a process of its own that updates itself, and whose power is cut before some change of its disk. What was not forced to the
// disk until then is lost by half, as a file system may lose it.

export interface UpdatingDevice {
  /** A folder of released files. */
  readonly models: string;
  /** base64 */
  readonly root: string;
  readonly dataDir: string;
  /** Before which change of the disk, from 1, or behind the last; absent: never. It says how many there were. */
  readonly cutAt?: number;
}

const { models, root, dataDir, cutAt = Infinity } = JSON.parse(process.argv[2]!) as UpdatingDevice;

/** Files with bytes that are not on disk for certain. */
const unsynced = new Set<string>();
let changes = 0;

function beforeChange(): void {
  changes += 1;
  if (changes === cutAt) cutPower();
}

function cutPower(): void {
  for (const path of unsynced) {
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size !== undefined) truncateSync(path, size >> 1);
  }
  process.kill(process.pid, "SIGKILL");
}

function renamed(from: string, to: string): void {
  if (unsynced.delete(from)) unsynced.add(to);
  else unsynced.delete(to);
}

const { open, rename, unlink, rm, writeFile, link } = fs;

function watched(handle: FileHandle, path: string): FileHandle {
  const write = handle.write.bind(handle);
  const writeAll = handle.writeFile.bind(handle);
  const sync = handle.sync.bind(handle);
  return Object.assign(handle, {
    write: ((...args: Parameters<typeof write>) => {
      beforeChange();
      unsynced.add(path);
      return write(...args);
    }) as typeof write,
    writeFile: ((...args: Parameters<typeof writeAll>) => {
      beforeChange();
      unsynced.add(path);
      return writeAll(...args);
    }) as typeof writeAll,
    async sync() {
      beforeChange();
      await sync();
      unsynced.delete(path);
    },
  });
}

Object.assign(fs, {
  async open(path: string, ...rest: [never, never]) {
    if (rest[0] !== undefined) beforeChange();
    return watched(await open(path, ...rest), path);
  },
  async rename(from: string, to: string) {
    beforeChange();
    await rename(from, to);
    renamed(from, to);
  },
  async unlink(path: string) {
    beforeChange();
    await unlink(path);
  },
  async rm(...args: Parameters<typeof rm>) {
    beforeChange();
    await rm(...args);
  },
  async writeFile(path: string, ...rest: [string]) {
    beforeChange();
    unsynced.add(path);
    await writeFile(path, ...rest);
  },
  async link(...args: Parameters<typeof link>) {
    beforeChange();
    await link(...args);
  },
});

const { openSync, writeSync, fsync, renameSync, rmSync } = blockingFs;
/** What is open to be written, by descriptor. */
const written = new Map<number, string>();

Object.assign(blockingFs, {
  openSync(path: string, flags: string, ...rest: [never]) {
    if (flags !== "r") beforeChange();
    const file = openSync(path, flags, ...rest);
    if (flags === "r") written.delete(file);
    else written.set(file, path);
    return file;
  },
  writeSync(file: number, ...rest: [never]) {
    beforeChange();
    unsynced.add(written.get(file)!);
    return writeSync(file, ...rest);
  },
  fsync(file: number, done: (error: Error | null) => void) {
    beforeChange();
    fsync(file, (error) => {
      if (error === null) unsynced.delete(written.get(file)!);
      done(error);
    });
  },
  renameSync(from: string, to: string) {
    beforeChange();
    renameSync(from, to);
    renamed(from, to);
  },
  rmSync(...args: Parameters<typeof rmSync>) {
    beforeChange();
    rmSync(...args);
  },
});
syncBuiltinESMExports();

// After the file system is watched: what is imported before would not be.
const { createRuntime } = await import("@tributary/runtime/node");
const trust = { root: new Uint8Array(Buffer.from(root, "base64")) };
const runtime = await createRuntime({ models, trust, dataDir });
const events = runtime.events();
const digits = await runtime.model("digits");
if (digits.state.version === 1) {
  for await (const event of events) if (event.type === "running" && event.version === 2) break;
}
await runtime.close();
if (cutAt !== Infinity) cutPower();
process.send!({ changes });
process.disconnect();
