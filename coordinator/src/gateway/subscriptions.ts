import type { ModelName } from "@tributary/core";
import { encodeServerMessage, type Release } from "@tributary/protocol";
import type { Session } from "./session.ts";

/** Sends to so many sessions before other work gets its turn. */
const CHUNK = 256;

/** Which sessions want to hear of which releases. */
export class Subscriptions {
  readonly #sessions = new Map<string, Set<Session>>();

  add(model: ModelName, channel: string, session: Session): void {
    const key = keyOf(model, channel);
    session.subscriptions.add(key);
    const sessions = this.#sessions.get(key) ?? new Set();
    this.#sessions.set(key, sessions);
    sessions.add(session);
  }

  remove(session: Session): void {
    for (const key of session.subscriptions) {
      const sessions = this.#sessions.get(key);
      sessions?.delete(session);
      if (sessions?.size === 0) this.#sessions.delete(key);
    }
    session.subscriptions.clear();
  }

  /** Tells all subscribers, encoded once and in chunks, so that ten thousand of them stop nobody. */
  async broadcast(release: Release): Promise<void> {
    const sessions = [...(this.#sessions.get(keyOf(release.model, release.channel)) ?? [])];
    const frame = encodeServerMessage({ type: "release", ...release });
    for (let start = 0; start < sessions.length; start += CHUNK) {
      if (start > 0) await new Promise<void>((resolve) => setImmediate(resolve));
      for (const session of sessions.slice(start, start + CHUNK)) {
        if (session.phase === "open") session.sendFrame(frame);
      }
    }
  }
}

function keyOf(model: ModelName, channel: string): string {
  return `${model}/${channel}`;
}
