/**
 * Our TUF client behind the command line that the official conformance suite (theupdateframework/tuf-conformance) drives:
 *
 *     client.ts --metadata-dir D init ROOT
 *     client.ts --metadata-dir D --metadata-url U refresh
 *     client.ts --metadata-dir D --metadata-url U --target-name P... --target-base-url T --target-dir DIR download
 *
 * Exit code 0, or 1 with one line on stderr. `init` asks nobody; metadata is kept as it came, without version numbers in its names;
 * what was downloaded is not fetched again.
 */
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock } from "@tributary/core";
import { createTufClient, parseMetadata, verifyTarget, type TargetFile, type TufStore } from "@tributary/tuf";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "metadata-dir": { type: "string" },
    "metadata-url": { type: "string" },
    "target-name": { type: "string", multiple: true, default: [] },
    "target-base-url": { type: "string" },
    "target-dir": { type: "string" },
  },
});
const [verb, rootFile] = positionals;

function required(name: "metadata-dir" | "metadata-url" | "target-base-url" | "target-dir"): string {
  const value = values[name];
  if (value === undefined) throw new TypeError(`${verb} needs --${name}`);
  return value;
}

async function readIfAny(file: string): Promise<Uint8Array | undefined> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Whole or not at all. */
async function write(file: string, bytes: Uint8Array): Promise<void> {
  await writeFile(`${file}.part`, bytes);
  await rename(`${file}.part`, file);
}

function folderStore(folder: string): TufStore {
  const fileOf = (role: string): string => join(folder, `${encodeURIComponent(role)}.json`);
  return {
    read: (role) => readIfAny(fileOf(role)),
    write: (role, bytes) => write(fileOf(role), bytes),
    delete: (role) => rm(fileOf(role), { force: true }),
  };
}

/** At most so many bytes, and never more in memory; undefined where there is no such file. */
async function get(url: string, maxBytes: number): Promise<Uint8Array | undefined> {
  const response = await fetch(url, { signal: AbortSignal.timeout(60_000) });
  if (response.status === 404 || response.status === 403) {
    await response.body?.cancel();
    return undefined;
  }
  if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.length;
    if (length > maxBytes) throw new RangeError(`${url} has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

async function init(): Promise<void> {
  if (rootFile === undefined) throw new TypeError("init needs the file of a root");
  const folder = required("metadata-dir");
  const bytes = new Uint8Array(await readFile(rootFile));
  await parseMetadata("root", bytes);
  await mkdir(folder, { recursive: true });
  await write(join(folder, "root.json"), bytes);
}

async function refreshed() {
  const folder = required("metadata-dir");
  const base = required("metadata-url").replace(/\/$/, "");
  const store = folderStore(folder);
  const trustedRoot = await store.read("root");
  if (trustedRoot === undefined) throw new Error(`${folder} has no root: init comes first`);
  const client = createTufClient({
    trustedRoot,
    store,
    clock: systemClock,
    fetcher: {
      metadata: (fileName, { maxBytes }) => get(`${base}/${encodeURIComponent(fileName)}`, maxBytes),
    },
  });
  await client.refresh();
  return client;
}

async function download(): Promise<void> {
  const base = required("target-base-url").replace(/\/$/, "");
  const folder = required("target-dir");
  const client = await refreshed();
  await mkdir(folder, { recursive: true });
  for (const path of values["target-name"]) {
    const target = await client.find(path);
    if (target === undefined) throw new Error(`${path} is no target`);
    const file = join(folder, encodeURIComponent(path));
    if (await isDownloaded(file, target)) continue;
    const bytes = await get(`${base}/${fileOf(target, client.consistentSnapshot)}`, target.length);
    if (bytes === undefined) throw new Error(`${path} is not there`);
    verifyTarget(target, bytes);
    await write(file, bytes);
  }
}

async function isDownloaded(file: string, target: TargetFile): Promise<boolean> {
  const bytes = await readIfAny(file);
  if (bytes === undefined) return false;
  try {
    verifyTarget(target, bytes);
    return true;
  } catch {
    return false;
  }
}

/** 5.7.3: with consistent snapshots the last part of the path has the hash before it. */
function fileOf({ path, sha256 }: TargetFile, consistent: boolean): string {
  const parts = path.split("/").map((part) => encodeURIComponent(part));
  if (consistent) parts.push(`${sha256}.${parts.pop()}`);
  return parts.join("/");
}

const VERBS: Readonly<Record<string, () => Promise<unknown>>> = { init, refresh: refreshed, download };

try {
  const run = VERBS[verb ?? ""];
  if (run === undefined) throw new TypeError(`one of ${Object.keys(VERBS).join(", ")} expected, got ${verb}`);
  await run();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
