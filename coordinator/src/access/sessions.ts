import type { Clock, SecureRandom } from "@tributary/core";
import type { SessionRecord, Vouched } from "../ports/access-records.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { digestOf, newId, newSecret } from "./secrets.ts";

/** That a session is in use is noted at most so often. */
const TOUCH_MS = 60_000;
const MAX_AGENT = 200;

/** From where a request comes. */
export interface Seen {
  readonly address: string;
  readonly agent: string;
}

/** Whom a session is of. */
export interface SessionOwner extends Pick<SessionRecord, "name" | "grants"> {
  /** Where an identity provider did. */
  readonly vouched?: Vouched;
}

export interface SessionsOptions {
  readonly store: () => Pick<MetadataStore, "sessions">;
  readonly clock: Pick<Clock, "now">;
  readonly random: Pick<SecureRandom, "bytes">;
  /** Unused for so long, a session is over. */
  readonly idleMs: number;
  /** It is over then in any case. */
  readonly lifetimeMs: number;
  /** Of sessions that an identity provider vouched for: the rules that give their roles now, and how long they last. */
  readonly provider?: { readonly rules: string | undefined; readonly lifetimeMs: number };
}

/** Browsers that signed in. Of what their cookie holds only a digest is kept. */
export interface Sessions {
  /** A new one, with a new cookie: what a browser had before is of no use to it. */
  begin(who: SessionOwner, seen: Seen): Promise<{ readonly cookie: string; readonly session: SessionRecord }>;
  /** That of a cookie, where it is not over. */
  find(cookie: string, seen: Seen): Promise<SessionRecord | undefined>;
  /** The same by its id. To look at it is not to use it. */
  get(id: string): Promise<SessionRecord | undefined>;
  end(id: string): Promise<boolean>;
  list(name?: string): Promise<SessionRecord[]>;
}

export function createSessions(options: SessionsOptions): Sessions {
  const { store, clock, random, idleMs, lifetimeMs, provider } = options;
  const shortened = ({ address, agent }: Seen): Seen => ({ address, agent: agent.slice(0, MAX_AGENT) });
  const isOver = ({ seenAt, expiresAt, vouched }: SessionRecord, now: number): boolean =>
    now >= expiresAt ||
    now >= seenAt + idleMs ||
    // What gave it its roles holds no more.
    (vouched !== null && vouched.rules !== provider?.rules);

  return {
    async begin({ name, grants, vouched = null }, seen) {
      const now = clock.now();
      const { sessions } = store();
      await sessions.prune(now, now - idleMs);
      const cookie = newSecret(random);
      const session: SessionRecord = {
        name,
        grants,
        vouched,
        ...shortened(seen),
        id: newId(random),
        digest: digestOf(cookie),
        createdAt: now,
        seenAt: now,
        expiresAt: now + (vouched === null || provider === undefined ? lifetimeMs : provider.lifetimeMs),
      };
      await sessions.insert(session);
      return { cookie, session };
    },
    async find(cookie, seen) {
      const now = clock.now();
      const { sessions } = store();
      const session = await sessions.byDigest(digestOf(cookie));
      if (session === undefined || isOver(session, now)) return undefined;
      if (now - session.seenAt >= TOUCH_MS)
        await sessions.touch(session.id, { seenAt: now, ...shortened(seen) });
      return session;
    },
    async get(id) {
      const session = await store().sessions.get(id);
      return session === undefined || isOver(session, clock.now()) ? undefined : session;
    },
    end: (id) => store().sessions.remove(id),
    async list(name) {
      const now = clock.now();
      return (await store().sessions.list(name)).filter((session) => !isOver(session, now));
    },
  };
}
