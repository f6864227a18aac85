import {
  ERROR_CATALOG,
  failure,
  isErrorCode,
  problemType,
  type ErrorCode,
  type ErrorSpec,
} from "@tributary/core";
import type { FastifyInstance, RawServerBase } from "fastify";
import { escapeHtml, PLAIN_PAGE_CSP, plainDocument } from "./plain-page.ts";

const OPEN = { config: { audience: "public" }, schema: { hide: true } } as const;

/**
 * `/problems/` and below: what each error code means and what to do about it, which is where the `type` of a problem leads to;
 * for a program that asks for JSON, the catalogue's entry.
 */
export function registerProblemPages<Server extends RawServerBase>(app: FastifyInstance<Server>): void {
  app.get("/problems", OPEN, (_request, reply) => reply.redirect("/problems/", 308));
  app.get<{ Params: { "*": string } }>("/problems/*", OPEN, (request, reply) => {
    const code = request.params["*"];
    if (code !== "" && !isErrorCode(code))
      throw failure("http/not-found", `http: no error code ${JSON.stringify(code)}`);
    reply.headers({ "content-security-policy": PLAIN_PAGE_CSP, "cache-control": "no-cache", vary: "accept" });
    if ((request.headers.accept ?? "").includes("json"))
      return reply.send(code === "" ? catalogue() : entry(code));
    return reply.type("text/html; charset=utf-8").send(code === "" ? LIST_PAGE : codePage(code));
  });
}

function entry(code: ErrorCode) {
  const { status, publicMessage: title, advice }: ErrorSpec = ERROR_CATALOG[code];
  return { type: problemType(code), code, status, title, ...(advice !== undefined && { advice }) };
}

function catalogue() {
  return { problems: codes().map(entry) };
}

function codes(): readonly ErrorCode[] {
  return Object.keys(ERROR_CATALOG) as ErrorCode[];
}

function codePage(code: ErrorCode): string {
  const { title, advice, status } = entry(code);
  const does = advice === undefined ? "" : `<h2>What to do</h2><p>${escapeHtml(advice)}</p>`;
  return plainDocument(
    code,
    `<h1><code>${code}</code></h1><p>${escapeHtml(title)}</p>${does}<p>Answers with it have the status ${status}. <a href="/problems/">All codes</a></p>`,
  );
}

const LIST_PAGE = plainDocument(
  "Error codes",
  `<h1>Error codes</h1><dl>${codes()
    .map(
      (code) =>
        `<dt><a href="${problemType(code)}"><code>${code}</code></a></dt><dd>${escapeHtml(entry(code).title)}</dd>`,
    )
    .join("")}</dl>`,
);
