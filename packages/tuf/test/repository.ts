import { asDigest, encodeHex, sha256 } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import {
  canonicalJson,
  createTufClient,
  generateTufKey,
  signRelease,
  signRoot,
  type Ed25519Signer,
  type JsonObject,
  type JsonValue,
  type ReleaseVersions,
  type TargetFile,
  type TufClient,
  type TufClientOptions,
  type TufRole,
  type TufSigner,
  type TufStore,
} from "../src/index.ts";

export const DAY_MS = 86_400_000;
export const START_MS = Date.UTC(2026, 0, 1);

export type Keys = Record<TufRole, TufSigner[]>;

/** A target whose bytes are its path. */
export function targetOf(path: string, custom?: TargetFile["custom"]): TargetFile {
  const bytes = new TextEncoder().encode(path);
  return { path, length: bytes.length, sha256: asDigest(sha256(bytes)), custom };
}

export async function newSigner(): Promise<Ed25519Signer> {
  return (await generateTufKey()).signer;
}

export async function newKeys(): Promise<Keys> {
  return {
    root: [await newSigner()],
    timestamp: [await newSigner()],
    snapshot: [await newSigner()],
    targets: [await newSigner()],
  };
}

export type Thresholds = Partial<Record<TufRole, number>>;

export function roleKeys(keys: Keys, thresholds: Thresholds = {}) {
  const set = (role: TufRole) => ({
    keys: keys[role].map((signer) => signer.key),
    threshold: thresholds[role] ?? 1,
  });
  return {
    root: set("root"),
    timestamp: set("timestamp"),
    snapshot: set("snapshot"),
    targets: set("targets"),
  };
}

/** A repository in memory, as an honest operator runs it; attacks overwrite its files. */
export class Repository {
  keys: Keys;
  readonly files = new Map<string, Uint8Array>();
  readonly requests: string[] = [];
  versions: ReleaseVersions | undefined;
  rootVersion = 0;
  expiresMs = { root: 365, targets: 90, snapshot: 30, timestamp: 7 };

  private constructor(keys: Keys) {
    this.keys = keys;
  }

  static async create(nowMs = START_MS): Promise<Repository> {
    const repository = new Repository(await newKeys());
    await repository.publishRoot({ nowMs });
    await repository.publish([targetOf("models/digits/stable.json")], nowMs);
    return repository;
  }

  get root(): Uint8Array {
    return this.files.get(`${this.rootVersion}.root.json`)!;
  }

  async publishRoot(options: { extraSigners?: TufSigner[]; thresholds?: Thresholds; nowMs?: number } = {}) {
    const previous = this.files.get(`${this.rootVersion}.root.json`);
    const bytes = await signRoot({
      version: this.rootVersion + 1,
      expiresMs: (options.nowMs ?? START_MS) + this.expiresMs.root * DAY_MS,
      keysByRole: roleKeys(this.keys, options.thresholds),
      signers: [...this.keys.root, ...(options.extraSigners ?? [])],
      ...(previous === undefined ? {} : { previous }),
    });
    this.rootVersion++;
    this.files.set(`${this.rootVersion}.root.json`, bytes);
  }

  async publish(targets: TargetFile[], nowMs = START_MS) {
    const release = await signRelease({
      ...(this.versions === undefined ? {} : { previous: this.versions }),
      targets,
      expiresMs: {
        targets: nowMs + this.expiresMs.targets * DAY_MS,
        snapshot: nowMs + this.expiresMs.snapshot * DAY_MS,
        timestamp: nowMs + this.expiresMs.timestamp * DAY_MS,
      },
      signers: this.keys,
    });
    this.versions = release.versions;
    this.files.set("timestamp.json", release.timestamp);
    this.files.set(`${release.versions.snapshot}.snapshot.json`, release.snapshot);
    this.files.set(`${release.versions.targets}.targets.json`, release.targets);
    return release;
  }

  fetcher(): TufClientOptions["fetcher"] {
    return {
      metadata: (fileName) => {
        this.requests.push(fileName);
        return Promise.resolve(this.files.get(fileName));
      },
    };
  }
}

export interface MemoryStore extends TufStore {
  readonly files: Map<string, Uint8Array>;
}

export function memoryStore(): MemoryStore {
  const files = new Map<string, Uint8Array>();
  return {
    files,
    read: (role) => Promise.resolve(files.get(role)),
    write: (role, bytes) => Promise.resolve(void files.set(role, bytes)),
    delete: (role) => Promise.resolve(void files.delete(role)),
  };
}

export interface Device {
  readonly client: TufClient;
  readonly store: MemoryStore;
  readonly clock: ReturnType<typeof createVirtualClock>;
}

export function deviceOf(repository: Repository, options: Partial<TufClientOptions> = {}): Device {
  const store = memoryStore();
  const clock = createVirtualClock({ startMs: START_MS });
  const client = createTufClient({
    trustedRoot: repository.root,
    store,
    fetcher: repository.fetcher(),
    clock,
    ...options,
  });
  return { client, store, clock };
}

/** Version number that a stored file carries. */
export function storedVersion(store: MemoryStore, role: TufRole): number | undefined {
  const bytes = store.files.get(role);
  return bytes === undefined ? undefined : readJson(bytes).signed.version;
}

/** A metadata file as loose JSON, to be tampered with. */
export interface FileJson {
  signatures: { keyid: string; sig: string }[];
  signed: Record<string, JsonValue> & { version: number };
}

export function readJson(bytes: Uint8Array): FileJson {
  return JSON.parse(new TextDecoder().decode(bytes)) as FileJson;
}

export function writeJson(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Signs any signed part: what an attacker with these keys can do. */
export async function seal(
  signed: JsonObject,
  signers: readonly TufSigner[],
): Promise<Uint8Array<ArrayBuffer>> {
  const signatures = [];
  for (const signer of signers) {
    signatures.push({ keyid: signer.keyId, sig: encodeHex(await signer.sign(canonicalJson(signed))) });
  }
  return writeJson({ signatures, signed });
}

/** Changes fields of a file's signed part and signs it again. */
export function reseal(
  bytes: Uint8Array,
  changes: JsonObject,
  signers: readonly TufSigner[],
): Promise<Uint8Array<ArrayBuffer>> {
  return seal({ ...readJson(bytes).signed, ...changes }, signers);
}
