import rateLimit from "@fastify/rate-limit";
import { failure } from "@tributary/core";
import type { FastifyRequest } from "fastify";
import type { App } from "./app.ts";

/** IPv6 gives whoever has one address a whole network of them: one client is as much of it. */
const IPV6_CLIENT_BITS = 64;
/** Clients that are counted at a time; beyond that those that were silent the longest are forgotten. */
const COUNTED_CLIENTS = 20_000;

export interface LimiterOptions {
  readonly max: number;
  readonly windowMs: number;
  /** What is counted by; an address of IPv6 stands for its network. */
  readonly key: (request: FastifyRequest) => string;
}

/** Counts requests, and refuses those of whoever sends too many. */
export interface Limiter {
  /** Counts it. @throws `http/too-many-requests`, with when to come again */
  take(request: FastifyRequest): Promise<void>;
  /** Does not count it. @throws likewise where the next would be too many */
  requireRoom(request: FastifyRequest): Promise<void>;
}

/** Makes limiters possible; before any of them. */
export async function registerRateLimits(app: App): Promise<void> {
  await app.register(rateLimit, { global: false, cache: COUNTED_CLIENTS });
}

export function createLimiter(app: App, { max, windowMs, key }: LimiterOptions): Limiter {
  const check = app.createRateLimit({
    max,
    timeWindow: windowMs,
    keyGenerator: (request) => rateLimit.normalizeIP(key(request), IPV6_CLIENT_BITS),
  });
  const tooMany = (ttl: number): Error =>
    failure("http/too-many-requests", `http: more than ${max} requests in ${windowMs} ms`, {
      detail: { retryAfterMs: Math.max(1, Math.ceil(ttl)) },
    });
  return {
    async take(request) {
      const found = await check(request);
      if (!found.isAllowed && found.isExceeded) throw tooMany(found.ttl);
    },
    async requireRoom(request) {
      const found = await check(request, { increment: false });
      if (!found.isAllowed && found.remaining === 0) throw tooMany(found.ttl);
    },
  };
}
