import type { AddressInfo } from "node:net";
import {
  createBearerCheck,
  listensEverywhere,
  registerProblemPages,
  sendError,
  TokenBucket,
  urlHost,
} from "@tributary/coordinator";
import { encodeHex, failure, type Clock } from "@tributary/core";
import { CertificateRequest, parseDocument } from "@tributary/protocol";
import Fastify, { type FastifyInstance } from "fastify";
import type { CertificateIssuer } from "./issuer.ts";

export interface IssuerServerOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly issuer: CertificateIssuer;
  /** What the app's backend shows as `Authorization: Bearer`. */
  readonly secret: string;
  /** Certificates a minute, over all devices. */
  readonly perMinute: number;
  readonly clock: Pick<Clock, "now">;
}

const MAX_BODY_BYTES = 4 * 1024;
const REQUEST_TIMEOUT_MS = 10_000;
/** Requests with a wrong secret, a minute: beyond that nobody guesses on. */
const WRONG_SECRETS_PER_MINUTE = 60;

/** The issuer over HTTP, for an app's backend alone: it decides who asked, this answers whoever knows the secret. */
export async function createIssuerServer(
  options: IssuerServerOptions,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { issuer, clock, perMinute } = options;
  const knowsSecret = createBearerCheck(options.secret);
  const issued = new TokenBucket(Math.max(1, perMinute), perMinute / 60, clock.now());
  const guesses = new TokenBucket(WRONG_SECRETS_PER_MINUTE, WRONG_SECRETS_PER_MINUTE / 60, clock.now());
  const app = Fastify({
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: "idle",
    trustProxy: false,
    genReqId: () => crypto.randomUUID(),
  });
  app.setErrorHandler((error, request, reply) => sendError(error, request, reply));
  registerProblemPages(app);

  app.get("/v1/issuer", (_request, reply) =>
    reply.header("cache-control", "no-store").send({ publicKey: encodeHex(issuer.publicKey) }),
  );

  app.post("/v1/certificates", async (request, reply) => {
    if (!knowsSecret(request.headers.authorization)) {
      requireRoom(guesses.take(clock.now()));
      throw failure("identity/not-authorized", "issuer: no valid secret", { detail: {} });
    }
    requireRoom(issued.take(clock.now()));
    const wanted = parseDocument("certificate request", CertificateRequest, request.body);
    return reply
      .header("cache-control", "no-store")
      .type("application/jwt")
      .send(await issuer.issue(wanted));
  });

  await listen(app, options);
  const { port } = app.server.address() as AddressInfo;
  const host = listensEverywhere(options.host) ? "127.0.0.1" : urlHost(options.host);
  return { url: `http://${host}:${port}`, close: () => app.close() };
}

function requireRoom(waitMs: number): void {
  if (waitMs === 0) return;
  throw failure("http/too-many-requests", `issuer: come back in ${waitMs} ms`, {
    detail: { retryAfterMs: waitMs },
  });
}

async function listen(app: FastifyInstance, { host, port }: IssuerServerOptions): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EADDRINUSE") throw cause;
    throw failure(
      "cli/port-in-use",
      `issuer: port ${port} on ${host} is in use; stop what uses it, or choose another with --port`,
      { detail: { host, port }, cause },
    );
  }
}
