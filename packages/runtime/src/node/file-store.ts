import { statfsSync } from "node:fs";
import { join } from "node:path";
import { decodeBase64url, decodeUtf8, encodeBase64url, encodeUtf8, failure, sha256 } from "@tributary/core";
import { TUF_ROLES } from "@tributary/tuf";
import type { DeviceStore, InstalledModel, InstalledVersion } from "../store/device-store.ts";
import { makeDirectory } from "./atomic-file.ts";
import { lockDataDir } from "./data-dir-lock.ts";
import { openFileBlobs } from "./file-blobs.ts";
import { createFileControls } from "./file-controls.ts";
import { createFileExamples } from "./file-examples.ts";
import { createFileIdentity } from "./file-identity.ts";
import { createFileKey } from "./file-key.ts";
import { createFileLearned } from "./file-learned.ts";
import { fileName, keyName } from "./file-name.ts";
import { rememberedFiles, type RememberedFiles } from "./remembered-files.ts";

export interface FileStoreOptions {
  /** Created where it is missing, readable by its owner only. One device each. */
  readonly dataDir: string;
}

/**
 * A device's state in a folder of files: `identity.json` and `examples-key.json` (mode 0600), `metadata/`, `blobs/`, `models/`,
 * `examples/`, `learned/`, `settings/`, `controls/`. Files are replaced, never changed in place, but for examples and downloads, which grow.
 * @throws `runtime/locked` while another process or runtime uses the folder
 */
export async function openFileStore({ dataDir }: FileStoreOptions): Promise<DeviceStore> {
  const folder = (name: string): string => join(dataDir, name);
  await makeDirectory(dataDir);
  for (const name of ["metadata", "blobs", "models", "examples", "settings", "controls", "learned"]) {
    await makeDirectory(folder(name));
  }
  const lock = await lockDataDir(dataDir);
  const underWay = new Set<Promise<unknown>>();
  let closed: Promise<void> | undefined;
  /** Every operation that `close` has to wait for; none begins after it: the folder may be another runtime's then. */
  const tracked = <Arguments extends unknown[], Result>(
    operation: (...args: Arguments) => Promise<Result>,
  ) => {
    return (...args: Arguments): Promise<Result> => {
      if (closed !== undefined)
        return Promise.reject(failure("store/unavailable", `store: ${dataDir} was closed`));
      const running = operation(...args);
      const settled = running.catch(() => undefined);
      underWay.add(settled);
      void settled.then(() => underWay.delete(settled));
      return running;
    };
  };
  // Delegated roles have any names, also two that a file system takes for one.
  const metadataFile = (role: string): string =>
    folder(
      join(
        "metadata",
        TUF_ROLES.some((known) => known === role) ? `${role}.json` : `${sha256(encodeUtf8(role))}.json`,
      ),
    );
  const modelFile = (model: string, channel: string): string =>
    folder(join("models", `${model}@${fileName(channel)}.json`));
  const settingFile = (key: string): string => folder(join("settings", `${fileName(key)}.json`));
  const blobs = await openFileBlobs(folder("blobs")).catch((error: unknown) => {
    lock.release();
    throw error;
  });
  const files = rememberedFiles();

  return {
    needsExtractableKeys: true,
    identity: trackAll(createFileIdentity(folder("identity.json")), tracked),
    metadata: {
      read: (role) => files.read(metadataFile(role)),
      write: tracked((role, bytes) => files.write(metadataFile(role), bytes)),
      delete: tracked((role) => files.delete(metadataFile(role))),
    },
    blobs: trackAll(blobs, tracked),
    space: {
      kind: "files",
      async estimate() {
        const [whole, partial] = await Promise.all([blobs.list(), blobs.listPartials()]);
        const sum = (all: typeof whole): number => all.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
        const [blobBytes, partialBytes] = [sum(whole), sum(partial)];
        const usageBytes = blobBytes + partialBytes;
        const { bavail, bsize } = statfsSync(dataDir);
        return { blobBytes, partialBytes, usageBytes, quotaBytes: usageBytes + bavail * bsize };
      },
    },
    models: {
      read: (model, channel) => readInstalled(files, modelFile(model, channel)),
      write: tracked((installed) =>
        files.write(modelFile(installed.model, installed.channel), encodeInstalled(installed)),
      ),
      delete: tracked((model, channel) => files.delete(modelFile(model, channel))),
      async list() {
        const names = await files.names(folder("models"));
        const read = await Promise.all(
          names.map((name) => readInstalled(files, folder(join("models", name)))),
        );
        return read.filter((installed) => installed !== undefined);
      },
    },
    examples: trackAll(createFileExamples(folder("examples")), tracked),
    examplesKey: trackAll(createFileKey(folder("examples-key.json")), tracked),
    learned: trackAll(createFileLearned(folder("learned")), tracked),
    controls: trackAll(createFileControls(folder("controls")), tracked),
    settings: {
      async read(key) {
        const bytes = await files.read(settingFile(key));
        return bytes === undefined ? undefined : parse(bytes, settingFile(key));
      },
      write: tracked((key, value) => files.write(settingFile(key), encodeUtf8(`${JSON.stringify(value)}\n`))),
      delete: tracked((key) => files.delete(settingFile(key))),
      async keys() {
        const names = await files.names(folder("settings"));
        return names.map((name) => keyName(name.slice(0, -".json".length)));
      },
    },
    close() {
      closed ??= (async () => {
        while (underWay.size > 0) await Promise.all(underWay);
        lock.release();
      })();
      return closed;
    },
  };
}

type Track = <Arguments extends unknown[], Result>(
  operation: (...args: Arguments) => Promise<Result>,
) => (...args: Arguments) => Promise<Result>;

function trackAll<T extends object>(part: T, tracked: Track): T {
  const entries = Object.entries(part) as [string, (...args: unknown[]) => Promise<unknown>][];
  return Object.fromEntries(entries.map(([name, operation]) => [name, tracked(operation)])) as T;
}

function encodeInstalled({ previous, ...installed }: InstalledModel): Uint8Array {
  const document = {
    ...encodeVersion(installed),
    ...(previous === undefined ? {} : { previous: encodeVersion(previous) }),
  };
  return encodeUtf8(`${JSON.stringify(document)}\n`);
}

type Encoded<Version extends InstalledVersion> = Omit<Version, "manifest"> & { readonly manifest: string };

function encodeVersion<Version extends InstalledVersion>(installed: Version): Encoded<Version> {
  return { ...installed, manifest: encodeBase64url(installed.manifest) };
}

function decodeVersion<Version extends InstalledVersion>(encoded: Encoded<Version>, path: string): Version {
  const manifest = decodeBase64url(encoded.manifest);
  if (sha256(manifest) !== encoded.manifestDigest) {
    throw failure(
      "store/corrupt",
      `store: the manifest in ${path} does not match its digest; remove the file`,
      { detail: { path } },
    );
  }
  return { ...encoded, manifest } as unknown as Version;
}

async function readInstalled(files: RememberedFiles, path: string): Promise<InstalledModel | undefined> {
  const bytes = await files.read(path);
  if (bytes === undefined) return undefined;
  const { previous, ...document } = parse(bytes, path) as Encoded<Omit<InstalledModel, "previous">> & {
    readonly previous?: Encoded<InstalledVersion>;
  };
  return {
    ...decodeVersion(document, path),
    ...(previous === undefined ? {} : { previous: decodeVersion(previous, path) }),
  };
}

function parse(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(decodeUtf8(bytes));
  } catch (cause) {
    throw failure("store/corrupt", `store: ${path} is not JSON; remove the file`, {
      detail: { path },
      cause,
    });
  }
}
