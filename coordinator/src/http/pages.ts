import { existsSync } from "node:fs";
import { join } from "node:path";
import fastifyStatic from "@fastify/static";
import { failure } from "@tributary/core";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { ResolvedConfig } from "../config.ts";
import type { App } from "./app.ts";
import { registerProblemPages } from "./problem-pages.ts";
import { PLAIN_PAGE_CSP, plainPage } from "./plain-page.ts";

/** Nothing from elsewhere, nothing inline, and no text becomes code but by the one policy that starts workers. */
const DASHBOARD_CSP = [
  "default-src 'self'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "object-src 'none'",
  "frame-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types tributary",
].join("; ");

/**
 * The dashboard at `/`, as soon as it is built; until then a page that says so and loads itself again.
 * `/demo/` leads to the demo, which has an origin of its own.
 */
export function registerPages(app: App, config: ResolvedConfig): void {
  // Answers are sent by hand below: the folder may not exist yet.
  void app.register(fastifyStatic, { root: config.dataDir, serve: false, logLevel: "silent" });

  registerProblemPages(app);

  const demo = (_request: FastifyRequest, reply: FastifyReply) => {
    if (config.demoUrl !== undefined) return reply.redirect(config.demoUrl, 302);
    return page(reply, 404, plainPage("No demo here", "This coordinator was started without the demo."));
  };
  app.get("/demo", { config: { audience: "public" }, schema: { hide: true } }, demo);
  app.get("/demo/", { config: { audience: "public" }, schema: { hide: true } }, demo);

  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0]!;
    const reading = request.method === "GET" || request.method === "HEAD";
    if (!reading || path === "/v1" || path.startsWith("/v1/"))
      throw failure("http/not-found", `http: ${request.method} ${path}: no such route`);
    return sendSite(config.dashboardDir(), path, request, reply);
  });
}

function sendSite(
  folder: string | undefined,
  path: string,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const wantsPage = (request.headers.accept ?? "").includes("text/html") || path === "/";
  if (folder === undefined || !existsSync(join(folder, "index.html"))) {
    if (!wantsPage) throw failure("http/not-found", `http: ${path}: the dashboard is not built yet`);
    return page(
      reply,
      200,
      plainPage(
        "Building the dashboard",
        "It takes some seconds on first use. This page loads itself again.",
        1,
      ),
    );
  }
  const name = decodedName(path);
  const isFile = name !== "" && name !== "index.html" && existsSync(join(folder, name));
  if (!isFile && !wantsPage) throw failure("http/not-found", `http: ${path}: no such file`);
  reply.headers({
    "content-security-policy": DASHBOARD_CSP,
    "cross-origin-opener-policy": "same-origin",
    // Vite names what it puts into assets/ by content.
    "cache-control":
      isFile && name.startsWith("assets/") ? "public, max-age=31536000, immutable" : "no-cache",
  });
  // The client's own routes are paths without a file: they get the page. Nothing outside the folder is sent.
  return reply.status(200).sendFile(isFile ? name : "index.html", folder, { cacheControl: false });
}

/** The file a path names within the site; empty when it names none that could be one. */
function decodedName(path: string): string {
  try {
    const name = decodeURIComponent(path.slice(1));
    return name.split(/[/\\]/).some((part) => part === "" || part.startsWith(".") || part.includes("\0"))
      ? ""
      : name;
  } catch {
    return "";
  }
}

function page(reply: FastifyReply, status: number, html: string): FastifyReply {
  return reply
    .status(status)
    .headers({ "content-security-policy": PLAIN_PAGE_CSP, "cache-control": "no-store" })
    .type("text/html; charset=utf-8")
    .send(html);
}
