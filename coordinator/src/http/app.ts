import fastifyCors from "@fastify/cors";
import fastifySwagger from "@fastify/swagger";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import { failure, TributaryError } from "@tributary/core";
import { PROOF_HEADER } from "@tributary/protocol";
import {
  fastify,
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyRequest,
  LogController,
  type RawServerDefault,
} from "fastify";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Guard } from "../access/guard.ts";
import type { Principal } from "../access/principal.ts";
import { isReading, routeAccess, type ServedRoute } from "../access/route-access.ts";
import type { ResolvedConfig } from "../config.ts";
import { registerRequestLog, requestId, REQUEST_ID_HEADER } from "../observability/logging/request-log.ts";
import { TLS_OPTIONS, type ServerTls } from "../tls/server-tls.ts";
import type { AccessPolicy } from "./access-policy.ts";
import { apiDocumentOptions } from "./api-document/api-document.ts";
import { limitBodyTime } from "./body-time.ts";
import { registerEntityTags } from "./entity-tags.ts";
import { sendError } from "./errors.ts";
import { createPeers, type Peers } from "./peers.ts";
import { registerPreconditions } from "./preconditions.ts";
import type { SharedAnswers } from "./shared-answers.ts";
import { limitRequests } from "./rate-limits.ts";
import { createSerializerCompiler } from "./serializers.ts";
import { strict } from "./strict-schemas.ts";
import { createValidatorCompiler } from "./validators.ts";
import { answerUnreadable } from "./unreadable-request.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Who sends it; null of routes that are not for operators, and until it is known. */
    principal: Principal | null;
  }
  interface FastifyContextConfig {
    /** Statuses of errors that it answers with, and others of its kind do not. */
    problems?: readonly number[];
    /** Its answers can be asked for in ranges. */
    ranges?: boolean;
  }
}

/** A year. */
const HSTS_MAX_AGE_SECONDS = 31_536_000;
/** Browsers keep a preflight's answer this long (Chromium caps it at two hours). */
const PREFLIGHT_MAX_AGE_SECONDS = 7200;
const NO_QUERY = { type: "object", properties: {} };

/** Paths that pages of other origins may use; everything else is for programs and the dashboard. */
const DEVICE_PATHS =
  /^\/v1\/(?:populations\/([a-z0-9-]+)\/|tuf\/|blobs\/|certificate-log\/consistency|secure\/|rounds\/[^/]+\/updates\/)/;

/** The HTTP server; its routes are typed by their TypeBox schemas. */
export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export interface AppOptions {
  readonly config: ResolvedConfig;
  readonly access: AccessPolicy;
  readonly guard: Guard;
  readonly version: string;
  /** The coordinator's log. @defaultValue none */
  readonly logger?: FastifyBaseLogger;
  /** @defaultValue each is made for who asked alone */
  readonly sharedAnswers?: SharedAnswers;
  /** How it speaks TLS; without it plain HTTP, as behind a proxy. */
  readonly tls?: ServerTls | undefined;
}

/**
 * The HTTP server with everything that holds for all routes: hosts, origins, who may call a route, errors, the API
 * document. In an object of its own, because a Fastify instance is a promise of its start to `await`.
 */
export async function createApp(options: AppOptions): Promise<{
  readonly app: App;
  readonly peers: Peers;
  /** Those added so far, with who may call each. */
  readonly routes: readonly ServedRoute[];
}> {
  const { config, access, guard, version, tls, logger } = options;
  const { limits } = config;
  const peers = createPeers(config.trustedProxies);
  const serverLimits = {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    connectionsCheckingInterval: Math.min(5_000, limits.headersTimeoutMs),
  };
  const app: App = fastify({
    ...(logger === undefined ? {} : { loggerInstance: logger }),
    logController: new LogController({ requestIdLogLabel: "requestId", disableRequestLogging: true }),
    bodyLimit: config.limits.maxJsonBytes,
    requestTimeout: config.limits.requestTimeoutMs,
    // A client that asks for much and reads nothing holds a socket and a file open.
    connectionTimeout: config.limits.stalledTimeoutMs,
    http: serverLimits,
    // The types of Fastify have a server either of one kind or the other; to everyone here it is a server.
    ...(tls && ({ https: { ...tls.pair, ...TLS_OPTIONS, ...serverLimits } } as object)),
    routerOptions: { maxParamLength: 256, ignoreTrailingSlash: false },
    forceCloseConnections: true,
    // No header of a client is believed about who it is, but of proxies that are named.
    trustProxy: peers.trusts,
    // Random, for it is told: a problem names its request by it, and the log.
    genReqId: requestId,
    frameworkErrors: (error, request, reply) => void sendError(error, request as never, reply as never),
    clientErrorHandler(error, socket) {
      answerUnreadable(app.log, error, socket);
    },
  }).withTypeProvider<TypeBoxTypeProvider>();

  app.setValidatorCompiler(createValidatorCompiler());
  app.setSerializerCompiler(createSerializerCompiler());
  const routes: ServedRoute[] = [];
  app.addHook("onRoute", (route) => {
    for (const method of [route.method].flat())
      routes.push({ method, url: route.url, access: routeAccess(route, method) });
  });

  app.removeContentTypeParser("text/plain");
  // Bulk bodies reach their handler as a stream: it knows the limit and where the bytes go.
  app.addContentTypeParser("application/octet-stream", (_request, payload, done) => done(null, payload));

  registerRequestLog(app);
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply));

  app.addHook("onRequest", async (request, reply) => {
    reply.headers({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": DEVICE_PATHS.test(request.url) ? "cross-origin" : "same-origin",
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    });
    if (tls?.selfSigned !== true && peers.isSecure(request.raw))
      reply.header("strict-transport-security", `max-age=${HSTS_MAX_AGE_SECONDS}`);
    // Of two, a proxy may have read the other.
    if (request.raw.rawHeaders.filter((name, i) => i % 2 === 0 && /^host$/i.test(name)).length > 1)
      throw failure("http/bad-request", "http: more than one host header");
    if (!access.hostAllowed(request.headers.host))
      throw failure("http/host-refused", `http: no answer for host ${String(request.headers.host)}`);
  });

  const operatorLimit = await limitRequests(app, config, peers);
  limitBodyTime(app, limits.jsonTimeoutMs);

  await app.register(fastifyCors, {
    delegator(request, callback) {
      const match = DEVICE_PATHS.exec(request.url ?? "");
      const { origin } = request.headers;
      const allowed = match !== null && origin !== undefined && access.originAllowed(origin, match[1]);
      callback(null, {
        origin: allowed,
        credentials: false,
        methods: ["GET", "HEAD", "POST", "PUT", "DELETE"],
        allowedHeaders: ["authorization", "content-type", "if-none-match", "if-range", "range", PROOF_HEADER],
        exposedHeaders: [
          "accept-ranges",
          "content-length",
          "content-range",
          "etag",
          "retry-after",
          REQUEST_ID_HEADER,
        ],
        maxAge: PREFLIGHT_MAX_AGE_SECONDS,
        strictPreflight: true,
      });
    },
  });

  app.decorateRequest("principal", null);
  app.addHook("onRequest", async (request) => {
    if (request.is404) return;
    const { method, headers, routeOptions } = request;
    const decision = routeAccess(routeOptions, method);
    if (decision.audience === "device") {
      const { population } = (request.params ?? {}) as { population?: string };
      if (!isReading(method) && !access.deviceAllowed(headers, population))
        throw originRefused(headers.origin);
      return;
    }
    await watched(guard, request, async () => {
      if (!isReading(method) && !access.operatorAllowed(headers)) throw originRefused(headers.origin);
      if (decision.audience !== "operator") return;
      await guard.admit(request, decision);
      await operatorLimit.take(request);
    });
  });
  app.addHook("preHandler", async (request) => {
    if (request.is404) return;
    const decision = routeAccess(request.routeOptions, request.method);
    await watched(guard, request, () => guard.admitBody(request, decision));
  });

  // What a handler refuses: it knows what a body names, and to whom a thing belongs.
  app.addHook("onError", async (request, _reply, error) => {
    if (routeAccess(request.routeOptions, request.method).audience === "operator" && isAccessError(error))
      guard.refused(request, error);
  });

  app.addHook("onRoute", (route) => {
    const { schema, config, url } = route;
    if (schema === undefined) return;
    const { body, querystring = NO_QUERY } = schema;
    // Devices may be newer than this coordinator.
    const strictBody = body !== undefined && config?.audience !== "device";
    // Others than operators are sent here with what somebody else put behind the address.
    const strictQuery = (config?.audience ?? "operator") === "operator" && url.startsWith("/v1/");
    route.schema = {
      ...schema,
      ...(strictBody ? { body: strict(body) } : {}),
      ...(strictQuery ? { querystring: strict(querystring) } : {}),
    };
  });
  options.sharedAnswers?.register(app);
  registerEntityTags(app);
  registerPreconditions(app);

  await app.register(fastifySwagger, apiDocumentOptions(version));
  return { app, peers, routes };
}

/** Notes what is refused. */
async function watched(guard: Guard, request: FastifyRequest, check: () => unknown): Promise<void> {
  try {
    await check();
  } catch (error) {
    guard.refused(request, error);
    throw error;
  }
}

function isAccessError(error: unknown): boolean {
  return TributaryError.is(error) && error.code.startsWith("identity/");
}

function originRefused(origin: string | undefined): Error {
  return failure("http/origin-refused", `http: origin ${origin ?? "(another site)"} is not allowed`, {
    detail: { origin: (origin ?? "").slice(0, 200) },
  });
}
