import type { Digest, ModelName, TaskName } from "@tributary/core";
import type { LabelledValues } from "@tributary/engine/batches";

/** The keys a device is known by, and the certificate it was given for them. */
export interface StoredIdentity {
  /** Ed25519. The private key is non-extractable where the store can hold it so. */
  readonly keys: CryptoKeyPair;
  /** The certificate as issued; absent before the first enrolment and after it was refused. */
  readonly certificate?: Uint8Array;
}

/** Which verified release of a model runs on this device. Survives restarts, so the next start works offline. */
export interface InstalledModel extends InstalledVersion {
  readonly model: ModelName;
  readonly channel: string;
  /** What ran before, as long as the device may have to go back to it without a download; its files are in the blob cache too. */
  readonly previous?: InstalledVersion;
}

export interface InstalledVersion {
  readonly version: number;
  /** The manifest as signed for, and its digest. */
  readonly manifest: Uint8Array;
  readonly manifestDigest: Digest;
  /** The targets it names and that are needed to run it; they are in the blob cache. */
  readonly files: readonly InstalledFile[];
  readonly installedAtMs: number;
}

/** One file of an installed model. */
export interface InstalledFile {
  /** Target path, as in the signed metadata. */
  readonly target: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** One labelled example: of each input an array of its element type, or bytes for floats. It never leaves the device. */
export type StoredExample = LabelledValues;

export interface MetadataStore {
  read(role: string): Promise<Uint8Array | undefined>;
  write(role: string, bytes: Uint8Array): Promise<void>;
  delete(role: string): Promise<void>;
}

export interface IdentityStore {
  read(): Promise<StoredIdentity | undefined>;
  write(identity: StoredIdentity): Promise<void>;
  clear(): Promise<void>;
}

/** Blobs by SHA-256, and what has been received of those under way. */
export interface BlobCache {
  /** A complete blob, in memory that is the caller's to change. The caller checks the digest; a store may have lost or torn anything. */
  read(digest: Digest): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Keeps a complete blob, and drops what was kept of its download. */
  write(digest: Digest, bytes: Uint8Array): Promise<void>;
  delete(digest: Digest): Promise<void>;
  list(): Promise<readonly KeptBlob[]>;
  /** Bytes received of an unfinished download, from offset 0. */
  readPartial(digest: Digest): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Adds a chunk at `offset`, which is the length kept so far; offset 0 begins anew. */
  appendPartial(digest: Digest, offset: number, chunk: Uint8Array): Promise<void>;
  deletePartial(digest: Digest): Promise<void>;
  /** Blobs of which a part is kept, and how many bytes of it. */
  listPartials(): Promise<readonly KeptBlob[]>;
}

export interface KeptBlob {
  readonly digest: Digest;
  readonly sizeBytes: number;
}

/** Where blobs lie and how much may lie there. */
export interface StorageSpace {
  readonly kind: "opfs" | "indexeddb" | "files";
  /** Of everything that shares the space, as far as the platform tells. */
  estimate(): Promise<StorageEstimate>;
}

export interface StorageEstimate {
  /** What is kept of blobs and of downloads under way, where the platform counts it anyway. */
  readonly blobBytes?: number;
  readonly partialBytes?: number;
  readonly usageBytes?: number;
  readonly quotaBytes?: number;
  /** Whether the browser keeps it when the device runs short of space. */
  readonly persisted?: boolean;
}

export interface InstalledModelStore {
  read(model: ModelName, channel: string): Promise<InstalledModel | undefined>;
  write(installed: InstalledModel): Promise<void>;
  delete(model: ModelName, channel: string): Promise<void>;
  list(): Promise<readonly InstalledModel[]>;
}

/**
 * Some examples of a model as they are kept: sealed, so that the store cannot read them. `plain` is one that an earlier release kept;
 * it is sealed with the next use.
 */
export type ExamplePage = { readonly id: number } & (
  | { readonly sealed: Uint8Array<ArrayBuffer> }
  | { readonly plain: StoredExample }
);

/** Sealed examples in pages. What is in them, and which of them are kept, is `createExamples`' business. */
export interface ExamplePageStore {
  /** Models that something is kept of. */
  models(): Promise<readonly ModelName[]>;
  /** Of a model's pages, ascending: a page that is written later has a greater one, and none is given twice. */
  ids(model: ModelName): Promise<readonly number[]>;
  /** The pages of these ids that are there, or all, by their ids. */
  read(model: ModelName, ids?: readonly number[]): Promise<readonly ExamplePage[]>;
  /**
   * Adds pages and removes others, all or nothing. A page that is not there is removed already.
   * @returns the ids of those added, in their order
   */
  change(
    model: ModelName,
    change: { readonly add: readonly Uint8Array<ArrayBuffer>[]; readonly remove: readonly number[] },
  ): Promise<readonly number[]>;
  clear(model: ModelName): Promise<void>;
}

/** One AES-GCM key, which seals what the device keeps of a person. */
export interface KeyStore {
  /** Non-extractable. */
  read(): Promise<CryptoKey | undefined>;
  /** Keeps the key unless there is one. @returns the key that is kept */
  keep(key: CryptoKey): Promise<CryptoKey>;
  clear(): Promise<void>;
}

/** What was learned here and does not leave the device, each under a name of at most 128 characters: sealed by its owner. */
export interface SealedFileStore {
  read(name: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  write(name: string, sealed: Uint8Array): Promise<void>;
  delete(name: string): Promise<void>;
  list(): Promise<readonly { readonly name: string; readonly sizeBytes: number }[]>;
}

/** What a device keeps of a task from round to round, an opaque file each: SCAFFOLD's control variates. */
export interface ControlStore {
  read(model: ModelName, task: TaskName): Promise<Uint8Array<ArrayBuffer> | undefined>;
  write(model: ModelName, task: TaskName, bytes: Uint8Array): Promise<void>;
  /** Those of all tasks on a model. */
  clear(model: ModelName): Promise<void>;
  list(): Promise<readonly { readonly model: ModelName; readonly sizeBytes: number }[]>;
}

/** Small JSON values: counters, consent, which engine was chosen for which version. Keys are at most 128 characters. */
export interface SettingStore {
  read(key: string): Promise<unknown>;
  write(key: string, value: unknown): Promise<void>;
  delete(key: string): Promise<void>;
  keys(): Promise<readonly string[]>;
}

/**
 * What a device keeps between runs. One adapter on IndexedDB, one on files, one in memory; `describeDeviceStore` from
 * `@tributary/runtime/testing` is their conformance suite. Every write is atomic: after a crash a reader sees the old
 * value or the new one. A store that fails rejects with `store/*`.
 */
export interface DeviceStore {
  /** Whether private keys have to be extractable to be kept (files), or are kept as handles (IndexedDB). */
  readonly needsExtractableKeys: boolean;
  readonly identity: IdentityStore;
  readonly metadata: MetadataStore;
  readonly blobs: BlobCache;
  readonly models: InstalledModelStore;
  readonly examples: ExamplePageStore;
  /** Of examples and of what was learned from them. */
  readonly examplesKey: KeyStore;
  readonly learned: SealedFileStore;
  readonly settings: SettingStore;
  /** Only where storage lasts: in files. */
  readonly controls?: ControlStore;
  /** Absent in memory. */
  readonly space?: StorageSpace;
  /** Idempotent. Waits for writes under way; what is written later, where storage lasts, fails with `store/unavailable`. */
  close(): Promise<void>;
}

/** Most examples kept for a model. */
export const MAX_EXAMPLES = 10_000;

/** Most bytes that the values and labels of one example may take. */
export const MAX_EXAMPLE_BYTES = 16 * 1024 * 1024;
