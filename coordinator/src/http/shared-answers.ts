import type { FastifyReply, FastifyRequest } from "fastify";
import type { Bus } from "../ports/bus.ts";
import type { App } from "./app.ts";
import { entityTag } from "./entity-tags.ts";
import { noneMatchNames } from "./ranges.ts";

/** What dashboards read. Who watches one round asks for the same at the same time: whenever an event says that it changed. */
const SHARED = new Set([
  "/v1/status",
  "/v1/keys",
  "/v1/models",
  "/v1/models/:model/versions",
  "/v1/models/:model/versions/:version/card",
  "/v1/models/:model/rollouts",
  "/v1/models/:model/health",
  "/v1/tasks",
  "/v1/tasks/:task",
  "/v1/tasks/:task/rounds",
  "/v1/tasks/:task/activity",
  "/v1/tasks/:task/buffer",
  "/v1/tasks/:task/measurements",
]);
/** Changes of which no event tells are seen this much later at most. */
const HELD_MS = 100;
/** Answers held at a time; they are there for a moment only. */
const MAX_HELD = 256;

interface Held {
  readonly answer: Promise<string | undefined>;
  readonly until: number;
  readonly settle: (answer: string | undefined) => void;
  tag?: string;
}

export interface SharedAnswers {
  /** To be called before anything tags or rewrites what is sent. */
  register(app: App): void;
  /** Gives answers up when something changes. */
  follow(bus: Pick<Bus, "subscribe">): { close(): void };
}

/**
 * Answers that are asked for at the same time, by operators who may see the same, are made once: read, written as JSON and tagged. One is given up as soon
 * as anything changes, so nobody who was told of a change reads what was before it. Who may ask was decided before.
 */
export function createSharedAnswers(): SharedAnswers {
  const held = new Map<string, Held>();
  const making = new WeakMap<FastifyRequest, Held>();
  const forget = (): void => held.clear();

  const find = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    if (request.method !== "GET" || !SHARED.has(request.routeOptions.url ?? "")) return undefined;
    const key = keyOf(request);
    const found = held.get(key);
    if (found !== undefined && performance.now() < found.until) {
      const answer = await found.answer;
      if (answer !== undefined) return send(request, reply, answer, (found.tag ??= entityTag(answer)));
      return undefined;
    }
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const entry: Held = { answer: promise, until: performance.now() + HELD_MS, settle: resolve };
    if (held.size >= MAX_HELD) held.clear();
    held.set(key, entry);
    making.set(request, entry);
    // Whatever becomes of it, nobody waits for it for ever.
    reply.raw.once("close", () => resolve(undefined));
    return undefined;
  };

  const sent = (request: FastifyRequest, reply: FastifyReply, payload: unknown): void => {
    // Read your own writes.
    if (request.method !== "GET" && request.method !== "HEAD") forget();
    const entry = making.get(request);
    if (entry === undefined) return;
    const whole = reply.statusCode === 200 && typeof payload === "string";
    entry.settle(whole ? payload : undefined);
    if (!whole && held.get(keyOf(request)) === entry) held.delete(keyOf(request));
  };

  return {
    register(app) {
      app.addHook("preHandler", find);
      app.addHook("onSend", async (request, reply, payload) => {
        sent(request, reply, payload);
        return payload;
      });
    },
    follow(bus) {
      const topics = ["event", "devices", "release", "task"] as const;
      const subscriptions = topics.map((topic) => bus.subscribe(topic, forget));
      return {
        close() {
          for (const subscription of subscriptions) subscription.close();
          forget();
        },
      };
    },
  };
}

/** Of what is asked for, and what whoever asks may see: two who may see different things never share an answer. */
function keyOf({ url, headers, principal }: FastifyRequest): string {
  const { authorization = "", cookie = "", accept = "" } = headers;
  // Of somebody who is nobody known, what they sent stands for what they may see.
  const who = principal ? [principal.kind, principal.grants] : [authorization, cookie];
  return JSON.stringify([url, accept, who]);
}

function send(request: FastifyRequest, reply: FastifyReply, answer: string, tag: string): FastifyReply {
  reply.header("etag", tag).header("cache-control", "private, no-cache");
  if (noneMatchNames(request.headers["if-none-match"], tag)) return reply.code(304).send();
  return reply.type("application/json; charset=utf-8").send(answer);
}
