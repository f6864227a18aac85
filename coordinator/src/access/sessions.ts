import type { Clock, SecureRandom } from "@tributary/core";
import type { AccessGrant } from "@tributary/protocol";
import type { SessionRecord } from "../ports/access-records.ts";
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

export interface SessionsOptions {
  readonly store: () => Pick<MetadataStore, "sessions">;
  readonly clock: Pick<Clock, "now">;
  readonly random: Pick<SecureRandom, "bytes">;
  /** Unused for so long, a session is over. */
  readonly idleMs: number;
  /** It is over then in any case. */
  readonly lifetimeMs: number;
}

/** Browsers that signed in. Of what their cookie holds only a digest is kept. */
export interface Sessions {
  /** A new one, with a new cookie: what a browser had before is of no use to it. */
  begin(
    who: { readonly name: string; readonly grants: readonly AccessGrant[] | null },
    seen: Seen,
  ): Promise<{ readonly cookie: string; readonly session: SessionRecord }>;
  /** That of a cookie, where it is not over. */
  find(cookie: string, seen: Seen): Promise<SessionRecord | undefined>;
  end(id: string): Promise<boolean>;
  list(name?: string): Promise<SessionRecord[]>;
}

export function createSessions(options: SessionsOptions): Sessions {
  const { store, clock, random, idleMs, lifetimeMs } = options;
  const shortened = ({ address, agent }: Seen): Seen => ({ address, agent: agent.slice(0, MAX_AGENT) });
  const isOver = ({ seenAt, expiresAt }: SessionRecord, now: number): boolean =>
    now >= expiresAt || now >= seenAt + idleMs;

  return {
    async begin(who, seen) {
      const now = clock.now();
      const { sessions } = store();
      await sessions.prune(now, now - idleMs);
      const cookie = newSecret(random);
      const session: SessionRecord = {
        ...who,
        ...shortened(seen),
        id: newId(random),
        digest: digestOf(cookie),
        createdAt: now,
        seenAt: now,
        expiresAt: now + lifetimeMs,
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
    end: (id) => store().sessions.remove(id),
    async list(name) {
      const now = clock.now();
      return (await store().sessions.list(name)).filter((session) => !isOver(session, now));
    },
  };
}
