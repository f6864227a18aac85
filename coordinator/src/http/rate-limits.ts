import rateLimit from "@fastify/rate-limit";
import { failure, TributaryError } from "@tributary/core";
import type { FastifyRequest } from "fastify";
import type { Principal } from "../access/principal.ts";
import { digestOf } from "../access/secrets.ts";
import type { ResolvedConfig } from "../config.ts";
import { isLoopback } from "../gateway/admission.ts";
import type { App } from "./app.ts";
import type { Peers } from "./peers.ts";

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

const MINUTE_MS = 60_000;

/**
 * Bounds what one address may ask, and how often one may come with an operator's credential that is none. Programs on this machine are
 * not counted: a fleet of the simulator, and a proxy that was not named, come from there.
 *
 * @returns what bounds one operator, wherever they come from, once it is known who it is
 */
export async function limitRequests(
  app: App,
  { rates }: Pick<ResolvedConfig, "rates">,
  peers: Peers,
): Promise<Pick<Limiter, "take">> {
  await app.register(rateLimit, { global: false, cache: COUNTED_CLIENTS });
  const key = (request: FastifyRequest): string => peers.addressOf(request.raw);
  const requests = createLimiter(app, { max: rates.requestsPerAddress, windowMs: MINUTE_MS, key });
  const refusals = createLimiter(app, { max: rates.refusalsPerAddress, windowMs: MINUTE_MS, key });
  const isCounted = (request: FastifyRequest): boolean => !isLoopback(key(request));

  app.addHook("onRequest", async (request) => {
    if (!isCounted(request)) return;
    await requests.take(request);
    if (hasOperatorCredential(request)) await refusals.requireRoom(request);
  });
  app.addHook("onError", async (request, _reply, error) => {
    if (!isCounted(request) || !hasOperatorCredential(request)) return;
    if (!TributaryError.is(error) || error.code !== "identity/not-authorized") return;
    // That it was one too many, the next request hears.
    await refusals.take(request).catch(() => undefined);
  });

  const operators = createLimiter(app, {
    max: rates.requestsPerOperator,
    windowMs: MINUTE_MS,
    key: ({ principal }) => operatorKey(principal!),
  });
  return {
    async take(request) {
      const kind = request.principal?.kind;
      // Nobody in particular is one by their address; who has the data directory needs no request to stop the process.
      if (kind === undefined || kind === "anonymous" || kind === "bootstrap") return;
      await operators.take(request);
    },
  };
}

/** An account is one, by whichever of its tokens and browsers. */
function operatorKey({ kind, name, account, subject }: Principal): string {
  return digestOf(JSON.stringify(account === undefined ? [kind, subject ?? name] : ["account", account]));
}

/** Devices show certificates, and many may share an address: what becomes of one is no guess of another. */
function hasOperatorCredential({ headers }: FastifyRequest): boolean {
  return /^Bearer /i.test(headers.authorization ?? "") || headers.cookie !== undefined;
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
