import { failure } from "@tributary/core";
import type { FastifyRequest } from "fastify";
import type { App } from "./app.ts";

/** What a precondition is checked against is read as whoever sent it. */
const PASSED_ON = ["host", "authorization", "cookie"];

/**
 * `If-Match` on a change: it is made only while what it changes has the entity tag that the caller read. That is the same path where it
 * can be read, else the path above: of `POST /v1/tasks/:task/state` the task. Changes of one thing that carry it wait for each other, so
 * that of two with the same tag one is refused.
 */
export function registerPreconditions(app: App): void {
  const turns = new Map<string, Promise<void>>();

  app.addHook("preHandler", async (request, reply) => {
    const wanted = request.headers["if-match"];
    const { audience = "operator" } = request.routeOptions.config;
    if (
      wanted === undefined ||
      ["GET", "HEAD", "OPTIONS"].includes(request.method) ||
      audience !== "operator"
    )
      return;
    const url = resourceOf(app, request);
    if (url === undefined)
      throw failure(
        "http/bad-request",
        `http: ${request.method} ${request.url} changes nothing with an ETag`,
        {
          detail: { in: "headers", path: "/if-match", problem: "what is changed here has no ETag" },
        },
      );
    const { promise: done, resolve } = Promise.withResolvers<void>();
    reply.raw.once("close", resolve);
    const before = turns.get(url);
    turns.set(url, done);
    void done.then(() => turns.get(url) === done && turns.delete(url));
    await before;
    const headers = Object.fromEntries(
      PASSED_ON.flatMap((name) => {
        const value = request.headers[name];
        return typeof value === "string" ? [[name, value] as const] : [];
      }),
    );
    const current = await app.inject({ method: "GET", url, headers });
    const etag = current.statusCode === 200 ? current.headers.etag : undefined;
    if (etag !== undefined && matches(wanted, etag)) return;
    throw failure("http/precondition-failed", `http: ${url} is not at ${wanted.slice(0, 200)}`, {
      detail: { resource: url, etag: etag ?? null },
    });
  });
}

/** Where what a request changes is read. */
export function readPathOf(
  url: string,
  isRead: (pattern: string) => boolean,
): { readonly pattern: string; readonly segments: number } | undefined {
  const own = url.split("/");
  for (const segments of [own.length, own.length - 1]) {
    const pattern = own.slice(0, segments).join("/");
    if (isRead(pattern)) return { pattern, segments };
  }
  return undefined;
}

function resourceOf(app: App, request: FastifyRequest): string | undefined {
  const pattern = request.routeOptions.url ?? "";
  const found = readPathOf(pattern, (url) => app.hasRoute({ method: "GET", url }));
  const [path = ""] = request.url.split("?", 1);
  return found && path.split("/").slice(0, found.segments).join("/");
}

/** Strong comparison (RFC 9110, 13.1.1). */
function matches(header: string, etag: string): boolean {
  return header
    .split(",")
    .map((tag) => tag.trim())
    .some((tag) => tag === "*" || tag === etag);
}
