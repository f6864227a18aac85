import { failure, systemClock, type Digest } from "@tributary/core";
import {
  parseModelManifest,
  parsePersonalisation,
  type ModelManifest,
  type Personalisation,
} from "@tributary/protocol";
import {
  createTufClient,
  parseMetadata,
  TUF_ROLES,
  verifyTarget,
  type TargetFile,
  type TufRole,
} from "@tributary/tuf";

/** What an app needs to run models of a coordinator without it. */
export interface ReadRelease {
  /** Metadata by file name; `timestamp.json` is the last. */
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  readonly blobs: ReadonlyMap<Digest, Uint8Array>;
  readonly models: readonly ModelManifest[];
  /** When the first of its files expires, in milliseconds since the epoch. */
  readonly expiresMs: number;
}

export interface ReadReleaseOptions {
  readonly url: string;
  readonly root: Uint8Array;
  readonly models: readonly string[];
  readonly channel: string;
  /** Also the float32 weights, for apps that open models as variant "float32". @defaultValue false */
  readonly exact?: boolean | undefined;
}

/**
 * Verifies a coordinator's release and reads the files of some models.
 *
 * @throws `tuf/*`, `coordinator/unknown-model`, `http/unexpected-response`, `transport/connect-failed`
 */
export async function readRelease({
  url,
  root,
  models,
  channel,
  exact = false,
}: ReadReleaseOptions): Promise<ReadRelease> {
  const base = `${url.replace(/\/$/, "")}/v1/`;
  const metadata = new Map<string, Uint8Array>([["1.root.json", root]]);
  const kept = new Map<string, Uint8Array>();
  const client = createTufClient({
    trustedRoot: root,
    store: {
      read: async (role) => kept.get(role),
      write: async (role, bytes) => void kept.set(role, bytes),
      delete: async (role) => void kept.delete(role),
    },
    clock: systemClock,
    fetcher: {
      async metadata(fileName) {
        const bytes = await get(`${base}tuf/${fileName}`);
        if (bytes !== undefined) metadata.set(fileName, bytes);
        return bytes;
      },
    },
  });
  await client.refresh();

  const blobs = new Map<Digest, Uint8Array>();
  const fetchTarget = async (file: TargetFile): Promise<Uint8Array> => {
    const known = blobs.get(file.sha256);
    if (known !== undefined) return known;
    const bytes = await get(`${base}blobs/${file.sha256}`);
    if (bytes === undefined) throw failure("http/not-found", `bundle: ${file.path} is not at ${base}`);
    verifyTarget(file, bytes);
    blobs.set(file.sha256, bytes);
    return bytes;
  };
  const target = async (path: string): Promise<TargetFile> => {
    const file = await client.find(path);
    if (file !== undefined) return file;
    throw failure("tuf/target-missing", `bundle: the release names no target "${path}"`, {
      detail: { path },
    });
  };

  const manifests: ModelManifest[] = [];
  for (const model of models) {
    const file = await client.find(`models/${model}/${channel}.json`);
    if (file === undefined) {
      throw failure(
        "coordinator/unknown-model",
        `bundle: ${url} releases no "${model}" on channel "${channel}"`,
        {
          detail: { model },
        },
      );
    }
    const manifest = parseModelManifest(await fetchTarget(file));
    const left = exact ? undefined : manifest.weights.float32.target;
    for (const path of namedTargets(manifest)) if (path !== left) await fetchTarget(await target(path));
    if (manifest.personalisation !== undefined) {
      const document = parsePersonalisation(await fetchTarget(await target(manifest.personalisation.target)));
      for (const path of namedTargets(document)) await fetchTarget(await target(path));
    }
    manifests.push(manifest);
  }
  return {
    metadata: timestampLast(metadata),
    blobs,
    models: manifests,
    expiresMs: await firstExpiry(kept, root),
  };
}

/** All files that a document names. */
function namedTargets(document: ModelManifest | Personalisation): readonly string[] {
  const found: string[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === "target" && typeof inner === "string") found.push(inner);
      else visit(inner);
    }
  };
  visit(document);
  return [...new Set(found)];
}

/** A server's folder is whole at every moment when the file that names the others is replaced last. */
function timestampLast(metadata: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
  const { "timestamp.json": timestamp, ...others } = Object.fromEntries(metadata);
  return new Map([...Object.entries(others), ["timestamp.json", timestamp!]]);
}

async function get(url: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(60_000) });
  } catch (cause) {
    throw failure("transport/connect-failed", `bundle: ${url} cannot be reached`, { cause });
  }
  if (response.status === 404) return undefined;
  if (!response.ok) {
    throw failure("http/unexpected-response", `bundle: ${url} answered ${response.status}`, {
      detail: { status: response.status },
    });
  }
  return new Uint8Array(await response.arrayBuffer());
}

async function firstExpiry(kept: ReadonlyMap<string, Uint8Array>, root: Uint8Array): Promise<number> {
  const times = [...new Map([["root", root], ...kept])].map(async ([role, bytes]) => {
    const isTopLevel = (TUF_ROLES as readonly string[]).includes(role);
    const type = isTopLevel ? (role as TufRole) : "targets";
    return (await parseMetadata(type, bytes)).signed.expiresMs;
  });
  return Math.min(...(await Promise.all(times)));
}
