import type { AddressInfo } from "node:net";
import { failure } from "@tributary/core";
import {
  hostCheck,
  hostName,
  listensEverywhere,
  PLAIN_PAGE_CSP,
  plainPage,
  urlHost,
} from "@tributary/coordinator";
import fastifyStatic from "@fastify/static";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { SiteBuilder } from "../sites/site-builder.ts";

/** What the page has to know; served as `/tributary.json`. */
export interface DemoConfig {
  readonly coordinator: string;
  readonly population: string;
  readonly model: string;
  readonly task: string;
  /** Fewest members of a sum that this app lets its pages' updates enter. */
  readonly minimumCohort: number;
}

export interface DemoServerOptions {
  readonly host: string;
  readonly port: number;
  readonly site: SiteBuilder;
  /** What a page has to know that was asked for under a host name (as in URLs); `undefined` until the coordinator is there. */
  readonly config: (host: string) => DemoConfig | undefined;
  /** The TUF root that the page pins; served as `/root.json`. */
  readonly trustedRoot: () => Uint8Array;
  /** The application's own backend: decides who may enrol. Here everyone who can load the page. */
  readonly mintToken: () => Promise<string>;
}

export interface DemoServer {
  readonly url: string;
  close(): Promise<void>;
}

/** SharedArrayBuffer, and so WASM threads, exists only in cross-origin isolated pages. */
const ISOLATION = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

/**
 * Serves the demo on an origin of its own, as an application that embeds the runtime would: its files, its pinned root,
 * and an enrolment token from its own backend.
 *
 * @throws cli/port-in-use
 */
export async function createDemoServer(options: DemoServerOptions): Promise<DemoServer> {
  const app = Fastify({ forceCloseConnections: true, bodyLimit: 1024 });
  const hostAllowed = hostCheck(options.host);
  app.addHook("onRequest", async (request, reply) => {
    if (!hostAllowed(request.headers.host)) {
      return reply.code(421).type("text/plain").send("This server does not answer for that host name.\n");
    }
    const config = options.config(hostName(request.headers.host)!);
    reply.headers(ISOLATION);
    reply.header("x-content-type-options", "nosniff");
    reply.header("referrer-policy", "no-referrer");
    // The first requests may come before the coordinator listens: it has to be told this server's address.
    if (config === undefined) return building(reply, pathOf(request));
    reply.header("content-security-policy", contentSecurityPolicy(config));
    return undefined;
  });

  app.get("/tributary.json", (request, reply) =>
    reply.header("cache-control", "no-store").send(options.config(hostName(request.headers.host)!)),
  );
  app.get("/root.json", (_request, reply) =>
    reply.header("cache-control", "no-store").type("application/json").send(options.trustedRoot()),
  );
  app.get("/fl-token", async (request, reply) => {
    // Only this origin's own page may ask: another site's page must not enrol visitors in its name.
    const site = request.headers["sec-fetch-site"];
    if (site !== undefined && site !== "same-origin")
      return reply.code(403).send({ error: "same-origin only" });
    return reply
      .header("cache-control", "no-store")
      .type("text/plain")
      .send(await options.mintToken());
  });
  await serveSite(app, options.site);

  await listen(app, options);
  const { port } = app.server.address() as AddressInfo;
  return { url: `http://${reachableHost(options.host)}:${port}`, close: () => app.close() };
}

/** A name for the address in URLs; "all interfaces" is none, loopback is one of them. */
function reachableHost(host: string): string {
  return listensEverywhere(host) ? "127.0.0.1" : urlHost(host);
}

const UNKNOWN_ADDRESS = new Set(["EADDRNOTAVAIL", "ENOTFOUND", "EAI_AGAIN"]);

async function listen(app: FastifyInstance, { host, port }: DemoServerOptions): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== undefined && UNKNOWN_ADDRESS.has(code)) {
      throw failure("cli/usage", `--host: ${host} is no address of this machine`, {
        detail: { host },
        cause,
      });
    }
    if (code !== "EADDRINUSE") throw cause;
    throw failure(
      "cli/port-in-use",
      `demo: port ${port} on ${host} is in use; stop what uses it, or choose others with --port and --demo-port`,
      { detail: { host, port }, cause },
    );
  }
}

async function serveSite(app: FastifyInstance, site: SiteBuilder): Promise<void> {
  await app.register(fastifyStatic, { root: import.meta.dirname, serve: false });
  app.get("/*", (request, reply) => {
    const folder = site.request();
    const path = pathOf(request);
    if (folder !== undefined) {
      const immutable = path.startsWith("assets/");
      reply.header("cache-control", immutable ? "public, max-age=31536000, immutable" : "no-cache");
      return reply.sendFile(path, folder, { cacheControl: false });
    }
    if (site.state.phase === "failed") {
      return reply.code(500).type("text/plain").send(`The demo could not be built: ${site.state.reason}\n`);
    }
    return building(reply, path);
  });
}

function pathOf({ url }: FastifyRequest): string {
  return decodeURIComponent(url.split("?")[0]!).slice(1) || "index.html";
}

function building(reply: FastifyReply, path: string): FastifyReply {
  reply.header("cache-control", "no-store");
  if (path !== "index.html")
    return reply.code(503).header("retry-after", "1").type("text/plain").send("building\n");
  reply.header("content-security-policy", PLAIN_PAGE_CSP);
  return reply
    .type("text/html; charset=utf-8")
    .send(
      plainPage("Building the demo", "It takes some seconds on first use. This page loads itself again.", 1),
    );
}

function contentSecurityPolicy({ coordinator }: DemoConfig): string {
  const { origin } = new URL(coordinator);
  return [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "worker-src 'self' blob:",
    "style-src 'self'",
    "img-src 'self' data:",
    `connect-src 'self' ${origin} ${origin.replace(/^http/, "ws")}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
