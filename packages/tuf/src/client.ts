import { failure, TributaryError, type Clock } from "@tributary/core";
import type { JsonValue } from "./json.ts";
import { resolveLimits, type TufLimits } from "./limits.ts";
import type { DelegationSearch } from "./delegation-search.ts";
import { parseMetadata } from "./parse-metadata.ts";
import { rememberedParser } from "./remembered-parser.ts";
import { rememberedVerifier } from "./remembered-verifier.ts";
import type {
  DelegatedRole,
  MetaFile,
  RoleKeys,
  RootMetadata,
  TargetFile,
  TargetsMetadata,
  TufRole,
} from "./metadata.ts";
import { TrustedSet, type TrustedSetOptions } from "./trusted-set.ts";
import { createVerifier, type SignatureVerifier, type VerifierOptions } from "./verify-key.ts";

/**
 * Where verified metadata is kept, verbatim, one file a role. Each call has to be atomic. Beside the four top-level roles there
 * are delegated ones, whose names somebody else chose: any text of up to 256 characters, such as "../a".
 */
export interface TufStore {
  read(role: string): Promise<Uint8Array | undefined>;
  write(role: string, bytes: Uint8Array): Promise<void>;
  delete(role: string): Promise<void>;
}

/** Where metadata comes from. */
export interface TufFetcher {
  /**
   * The file ("3.root.json", "timestamp.json"), or undefined where there is none. Stops reading beyond `maxBytes`
   * with `tuf/too-large`.
   */
  metadata(
    fileName: string,
    options: { readonly maxBytes: number; readonly signal?: AbortSignal },
  ): Promise<Uint8Array | undefined>;
}

export interface TufClientOptions extends VerifierOptions {
  /** Root metadata that the embedding app ships (spec 5.2). */
  readonly trustedRoot: Uint8Array;
  /** One store belongs to one repository. Two clients on one store need a lock around `refresh`. */
  readonly store: TufStore;
  readonly fetcher: TufFetcher;
  readonly clock: Pick<Clock, "now">;
  /** @defaultValue DEFAULT_TUF_LIMITS */
  readonly limits?: Partial<TufLimits>;
}

/** A client of one TUF repository (spec 1.0.34, section 5). */
export interface TufClient {
  /**
   * Brings the metadata up to date. What `target` answers changes only when all steps have passed. Calls queue up.
   *
   * @throws TributaryError with a `tuf/` code and the step of the spec in `detail.step`; whatever the fetcher or the store throws.
   */
  refresh(options?: { readonly signal?: AbortSignal }): Promise<void>;
  /**
   * Reads the targets that the last refresh left in the store, for starting offline. The signatures are checked against the trusted root,
   * expiry is not: good for running what is installed, not for installing.
   *
   * @returns false where there is nothing, or nothing that the trusted root's keys signed.
   */
  load(): Promise<boolean>;
  /** Of the top-level targets alone. */
  target(path: string): TargetFile | undefined;
  /**
   * A target, also of delegated roles, whose metadata is fetched where it is not in the store (spec 5.6.7). Calls queue up with
   * `refresh`, and answer from the release that it left. After `load` nothing is fetched.
   *
   * @throws TributaryError with a `tuf/` code, where a role on the way does not verify
   */
  find(path: string, options?: { readonly signal?: AbortSignal }): Promise<TargetFile | undefined>;
  /** The top-level targets alone. */
  targets(): ReadonlyMap<string, TargetFile>;
  /** To whom the top-level targets delegate, in the order of priority. */
  delegations(): readonly DelegatedRole[];
  /**
   * What those roles name that `find` would ask for a path, to look around. A name says nothing: what `find` answers for it does.
   * Throws as `find` does.
   */
  namesBeside(path: string, options?: NamesOptions): Promise<readonly string[]>;
  /** Of the release that `target` answers from; 0 where there is none, or where `load` found that an update was cut off. */
  readonly timestampVersion: number;
  /** The `custom` field of that timestamp. */
  readonly timestampCustom: JsonValue | undefined;
  /** 0 before the first refresh or load. */
  readonly rootVersion: number;
  /** Whether targets are served under HASH.name (spec 5.7.3); false before the first refresh or load. */
  readonly consistentSnapshot: boolean;
}

export interface NamesOptions {
  readonly signal?: AbortSignal;
  /** Whether the names of the roles asked so far are enough: then no more of them are asked. @defaultValue they never are */
  readonly isEnough?: ((names: readonly string[]) => boolean) | undefined;
}

/** Only who searches delegations loads how. */
let delegationSearch: typeof import("./delegation-search.ts") | undefined;
const searching = async () => (delegationSearch ??= await import("./delegation-search.ts"));

export function createTufClient(options: TufClientOptions): TufClient {
  const limits = resolveLimits(options.limits);
  const parse = rememberedParser(parseMetadata);
  let verifier: Promise<SignatureVerifier> | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  let current: Verified | undefined;

  const inTurn = <T>(run: (update: Update) => Promise<T>, signal?: AbortSignal): Promise<T> => {
    const turn = queue.then(async () => {
      signal?.throwIfAborted();
      const verify = await (verifier ??= createVerifier(options).then(rememberedVerifier));
      // 5.1: the time of the whole update is fixed here.
      return run(new Update(options, limits, { verify, parse, nowMs: options.clock.now() }, signal));
    });
    queue = turn.catch(() => undefined);
    return turn;
  };

  return {
    refresh: ({ signal } = {}) =>
      inTurn(async (update) => {
        current = await update.refresh();
      }, signal),
    load: () =>
      inTurn(async (update) => {
        const installed = await update.load();
        current = installed ?? current;
        return installed !== undefined;
      }),
    find: (path, { signal } = {}) =>
      inTurn(async (update) => {
        const search = current && update.search(current);
        return search && (await searching()).searchTarget(search, path);
      }, signal),
    namesBeside: (path, { signal, isEnough } = {}) =>
      inTurn(async (update) => {
        const search = current && update.search(current);
        return search === undefined ? [] : (await searching()).namesBeside(search, path, isEnough);
      }, signal),
    delegations: () => current?.set.targets?.delegations.roles ?? [],
    target: (path) => current?.set.targets?.targets.get(path),
    targets: () => current?.set.targets?.targets ?? new Map<string, TargetFile>(),
    get timestampVersion() {
      return current?.timestampVersion ?? 0;
    },
    get timestampCustom() {
      return (current?.timestampVersion ?? 0) === 0 ? undefined : current?.set.timestamp?.custom;
    },
    get rootVersion() {
      return current?.set.root.version ?? 0;
    },
    get consistentSnapshot() {
      return current?.set.root.consistentSnapshot ?? false;
    },
  };
}

interface Verified {
  readonly set: TrustedSet;
  readonly timestampVersion: number;
  /** False of what `load` restored: it may have expired. */
  readonly isFresh: boolean;
  /** Targets of delegated roles by delegator and role: what one search verified the next need not. */
  readonly delegated: Map<string, TargetsMetadata>;
}

/** One pass through section 5. */
class Update {
  readonly #options: TufClientOptions;
  readonly #limits: TufLimits;
  readonly #trust: TrustedSetOptions;
  readonly #nowMs: number;
  readonly #signal: AbortSignal | undefined;

  constructor(
    options: TufClientOptions,
    limits: TufLimits,
    trust: TrustedSetOptions,
    signal: AbortSignal | undefined,
  ) {
    this.#options = options;
    this.#limits = limits;
    this.#trust = trust;
    this.#nowMs = trust.nowMs;
    this.#signal = signal;
  }

  async refresh(): Promise<Verified> {
    const { set, atLeast } = await this.#trustedRoot();
    await this.#updateRoot(set, atLeast);
    await this.#updateTimestamp(set);
    await this.#updateSnapshot(set);
    await this.#updateTargets(set);
    return verified(set, set.requireTimestamp().version, true);
  }

  /**
   * What is installed needs targets that the trusted root's keys signed, no more: timestamp and snapshot may be gone (5.3.11) or newer
   * (an update that was cut off). Only with all three matching is it known to be the release of that timestamp.
   */
  async load(): Promise<Verified | undefined> {
    const { store } = this.#options;
    const targets = await store.read("targets");
    if (targets === undefined) return undefined;
    const { set } = await this.#trustedRoot();
    const installed = await usable(async () => (await set.restoreInstalledTargets(targets), true));
    if (installed === undefined) return undefined;
    const timestamp = await store.read("timestamp");
    const snapshot = await store.read("snapshot");
    if (timestamp === undefined || snapshot === undefined) return verified(set, 0, false);
    const matching = await usable(async () => {
      await set.restoreTimestamp(timestamp);
      await set.restoreSnapshot(snapshot);
      await set.requireListedTargets(targets);
      return true;
    });
    const complete = matching === true && set.snapshot?.version === set.timestamp?.snapshot.version;
    return verified(set, complete ? (set.timestamp?.version ?? 0) : 0, false);
  }

  /**
   * 5.2: the stored root where it continues the pinned one, else the pinned one.
   *
   * A stored root of a higher version that the pinned root's keys did not sign may have come by several rotations. It cannot be told
   * from another repository's, so the chain is walked again from the pinned root, and has to get as far as before.
   */
  async #trustedRoot(): Promise<{ set: TrustedSet; atLeast: number }> {
    const pinned = await this.#openRoot(this.#options.trustedRoot);
    const storedBytes = await this.#options.store.read("root");
    if (storedBytes === undefined) return { set: pinned, atLeast: 0 };
    let stored: TrustedSet;
    try {
      stored = await this.#openRoot(storedBytes);
    } catch (error) {
      if (!isTufError(error)) throw error;
      return { set: pinned, atLeast: 0 }; // damaged: the chain is fetched again
    }
    if (stored.root.version <= pinned.root.version) return { set: pinned, atLeast: 0 };
    if (await pinned.vouchesForRoot(storedBytes)) return { set: stored, atLeast: 0 };
    return { set: pinned, atLeast: stored.root.version };
  }

  async #openRoot(bytes: Uint8Array): Promise<TrustedSet> {
    return TrustedSet.create(bytes, this.#trust);
  }

  /** 5.3 */
  async #updateRoot(set: TrustedSet, atLeast: number): Promise<void> {
    const { store } = this.#options;
    for (let count = 0; count < this.#limits.maxRootRotations; count++) {
      const before = set.root;
      // 5.3.3: version N+1, up to W bytes.
      const bytes = await this.#fetch(`${before.version + 1}.root.json`, this.#limits.maxRootBytes, "5.3.3");
      if (bytes === undefined) break;
      if ((await set.updateRoot(bytes)) === "unchanged") break; // 5.3.4 to 5.3.7
      if (set.root.version >= atLeast) await store.write("root", bytes); // 5.3.8
      // 5.3.11: recovery from a fast-forward attack. Done per step, so that a key that leaves and returns counts, and before
      // 5.3.10, so that an expired root does not leave it undone.
      if (keysRevoked(before, set.root, "timestamp") || keysRevoked(before, set.root, "snapshot")) {
        await store.delete("timestamp");
        await store.delete("snapshot");
      }
    }
    if (set.root.version < atLeast) {
      throw failure(
        "tuf/root-not-trusted",
        `tuf: root: version ${atLeast} is stored, but the pinned root leads only to version ${set.root.version}; if the coordinator was set up anew, use another store`,
        { detail: { role: "root", step: "5.3.5", stored: atLeast, reached: set.root.version } },
      );
    }
    set.finishRoot(); // 5.3.10
  }

  /** 5.4 */
  async #updateTimestamp(set: TrustedSet): Promise<void> {
    const stored = await this.#options.store.read("timestamp");
    // A stored file that today's root no longer vouches for is no baseline.
    if (stored !== undefined) await usable(() => set.restoreTimestamp(stored));
    const bytes = await this.#require("timestamp.json", this.#limits.maxTimestampBytes, "5.4.1"); // 5.4.1
    const outcome = await set.updateTimestamp(bytes); // 5.4.2 to 5.4.4
    if (outcome === "accepted") await this.#options.store.write("timestamp", bytes); // 5.4.5
  }

  /** 5.5 */
  async #updateSnapshot(set: TrustedSet): Promise<void> {
    const stored = await this.#options.store.read("snapshot");
    if (stored !== undefined) await usable(() => set.restoreSnapshot(stored));
    if (set.snapshotIsCurrent()) return;
    const listed = set.requireTimestamp().snapshot;
    const bytes = await this.#fetchListed(set, "snapshot", listed, this.#limits.maxSnapshotBytes); // 5.5.1
    await set.updateSnapshot(bytes); // 5.5.2 to 5.5.6
    await this.#options.store.write("snapshot", bytes); // 5.5.7
  }

  /** 5.6.7 */
  search({ set, isFresh, delegated }: Verified): DelegationSearch | undefined {
    if (set.targets === undefined) return undefined;
    const nowMs = isFresh ? this.#nowMs : -Infinity;
    return {
      top: set.targets,
      maxDelegations: this.#limits.maxDelegations,
      load: async (name, delegator) => {
        const key = JSON.stringify([delegator.name, name]);
        const known = delegated.get(key);
        if (known !== undefined && known.expiresMs > nowMs) return known;
        const stored = await this.#options.store.read(name);
        const check = (bytes: Uint8Array) => set.delegatedTargets(name, delegator, bytes, nowMs);
        const kept = stored === undefined ? undefined : await usable(() => check(stored));
        if (kept === undefined && !isFresh) throw missing(`${name}.json`, "5.6.1");
        const targets = kept ?? (await this.#fetchDelegated(set, name, check));
        delegated.set(key, targets);
        return targets;
      },
    };
  }

  async #fetchDelegated(
    set: TrustedSet,
    name: string,
    check: (bytes: Uint8Array) => Promise<TargetsMetadata>,
  ): Promise<TargetsMetadata> {
    const listed = set.listedTargets(name);
    const bytes = await this.#fetchListed(set, name, listed, this.#limits.maxTargetsBytes); // 5.6.1
    const targets = await check(bytes); // 5.6.2 to 5.6.5
    await this.#options.store.write(name, bytes); // 5.6.6
    return targets;
  }

  /** 5.6.1 to 5.6.6 */
  async #updateTargets(set: TrustedSet): Promise<void> {
    const stored = await this.#options.store.read("targets");
    const kept = stored && (await usable(async () => (await set.updateTargets(stored), true)));
    if (kept === true) return;
    const bytes = await this.#fetchListed(set, "targets", set.listedTargets(), this.#limits.maxTargetsBytes); // 5.6.1
    await set.updateTargets(bytes); // 5.6.2 to 5.6.5
    await this.#options.store.write("targets", bytes); // 5.6.6
  }

  /** Spec 6.2: with consistent snapshots (5.3.12) the file name carries the version. */
  async #fetchListed(set: TrustedSet, role: string, listed: MetaFile, limit: number): Promise<Uint8Array> {
    const step = role === "snapshot" ? "5.5.1" : "5.6.1";
    if (listed.length !== undefined && listed.length > limit) throw tooLarge(role, step, limit);
    const fileName = set.root.consistentSnapshot ? `${listed.version}.${role}.json` : `${role}.json`;
    return this.#require(fileName, listed.length ?? limit, step);
  }

  async #require(fileName: string, maxBytes: number, step: string): Promise<Uint8Array> {
    const bytes = await this.#fetch(fileName, maxBytes, step);
    if (bytes !== undefined) return bytes;
    throw missing(fileName, step);
  }

  async #fetch(fileName: string, maxBytes: number, step: string): Promise<Uint8Array | undefined> {
    const signal = this.#signal;
    signal?.throwIfAborted();
    const bytes = await this.#options.fetcher.metadata(fileName, {
      maxBytes,
      ...(signal === undefined ? {} : { signal }),
    });
    signal?.throwIfAborted();
    if (bytes !== undefined && bytes.length > maxBytes) throw tooLarge(fileName, step, maxBytes);
    return bytes;
  }
}

function missing(fileName: string, step: string): Error {
  return failure("tuf/missing-metadata", `tuf: ${fileName}: the repository does not have it (spec ${step})`, {
    detail: { fileName, step },
  });
}

function verified(set: TrustedSet, timestampVersion: number, isFresh: boolean): Verified {
  return { set, timestampVersion, isFresh, delegated: new Map() };
}

/** Runs a check of stored metadata: undefined where the file is not good any more. Other errors pass. */
async function usable<T>(check: () => Promise<T>): Promise<T | undefined> {
  try {
    return await check();
  } catch (error) {
    if (isTufError(error)) return undefined;
    throw error;
  }
}

function isTufError(error: unknown): boolean {
  return TributaryError.is(error) && error.code.startsWith("tuf/");
}

/** Whether a key that could sign for the role no longer can. */
function keysRevoked(before: RootMetadata, after: RootMetadata, role: TufRole): boolean {
  const publicKeys = (root: RootMetadata, { keyIds }: RoleKeys): Set<string> =>
    new Set(keyIds.flatMap((keyId) => root.keys.get(keyId)?.public.trim() ?? []));
  const remaining = publicKeys(after, after.roles[role]);
  return [...publicKeys(before, before.roles[role])].some((key) => !remaining.has(key));
}

function tooLarge(file: string, step: string, maxBytes: number): Error {
  return failure("tuf/too-large", `tuf: ${file}: expected at most ${maxBytes} bytes (spec ${step})`, {
    detail: { file, step, maxBytes },
  });
}
