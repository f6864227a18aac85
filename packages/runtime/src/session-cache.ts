import { abortable } from "@tributary/core";
import type { Session } from "@tributary/engine";
import type { EngineCheck, SessionLease } from "./engine-provider.ts";

export interface SessionCacheOptions {
  /** Sessions kept although nobody uses them. @defaultValue 4 */
  readonly maxIdle?: number;
}

/** What a loader answers: the session, and why this engine where there is something to tell. */
export interface LoadedSession {
  readonly session: Session;
  readonly note?: string | undefined;
  readonly check?: EngineCheck | undefined;
}

/** Sessions by what they were built from, shared by all who ask for the same. */
export interface SessionCache {
  /** A use of the session of this key; `load` is called where there is none. */
  acquire(key: string, load: () => Promise<LoadedSession>, signal?: AbortSignal): Promise<SessionLease>;
  /** Forgets a session that is of no more use, and disposes it; those who hold it are told by their next run. */
  drop(session: Session): Promise<void>;
  /** Sessions open, used or idle. */
  readonly size: number;
  /** Disposes all. Idempotent. */
  close(): Promise<void>;
}

interface Entry {
  readonly key: string;
  readonly loaded: Promise<LoadedSession>;
  users: number;
}

const DEFAULTS = { maxIdle: 4 } as const satisfies SessionCacheOptions;

/**
 * Least recently used idle sessions are disposed first. A fleet in one thread runs one model: its devices share the
 * session, and each swap disposes the old one when the last device has left it.
 */
export function createSessionCache(options: SessionCacheOptions = {}): SessionCache {
  const { maxIdle = DEFAULTS.maxIdle } = options;
  // A Map keeps insertion order; an entry that becomes idle is inserted anew, so the first idle one is the oldest.
  const entries = new Map<string, Entry>();
  let closed: Promise<void> | undefined;

  const dispose = async (entry: Entry): Promise<void> => {
    if (entries.get(entry.key) === entry) entries.delete(entry.key);
    const loaded = await entry.loaded.catch(() => undefined);
    await loaded?.session[Symbol.asyncDispose]();
  };
  const leave = async (entry: Entry): Promise<void> => {
    entry.users -= 1;
    if (entry.users > 0 || entries.get(entry.key) !== entry) return;
    entries.delete(entry.key);
    entries.set(entry.key, entry);
    const idle = [...entries.values()].filter((each) => each.users === 0);
    if (idle.length > maxIdle) await Promise.all(idle.slice(0, idle.length - maxIdle).map(dispose));
  };

  const leaveForGood = async (entry: Entry): Promise<void> => {
    if (entry.users > 1) return await leave(entry);
    entry.users -= 1;
    await dispose(entry);
  };

  return {
    async acquire(key, load, signal) {
      let entry = entries.get(key);
      const joined = entry !== undefined;
      if (entry === undefined) {
        entry = { key, loaded: load(), users: 0 };
        entries.set(key, entry);
        const failed = entry;
        entry.loaded.catch(() => {
          if (entries.get(key) === failed) entries.delete(key);
        });
      }
      const used = entry;
      used.users += 1;
      let loaded: LoadedSession;
      try {
        loaded = await abortable(used.loaded, signal);
      } catch (error) {
        await leave(used);
        signal?.throwIfAborted();
        // Whoever began this load may have been aborted: that is no reason for who joined it.
        if (joined) return await this.acquire(key, load, signal);
        throw error;
      }
      let released: Promise<void> | undefined;
      return {
        session: loaded.session,
        get engine() {
          return loaded.session.engine;
        },
        get note() {
          return loaded.note;
        },
        get check() {
          return loaded.check;
        },
        release: ({ keep = true } = {}) => (released ??= keep ? leave(used) : leaveForGood(used)),
      };
    },
    async drop(session) {
      for (const entry of entries.values()) {
        const loaded = await entry.loaded.catch(() => undefined);
        if (loaded?.session === session) await dispose(entry);
      }
    },
    get size() {
      return entries.size;
    },
    close() {
      closed ??= Promise.all([...entries.values()].map(dispose)).then(() => undefined);
      return closed;
    },
  };
}
