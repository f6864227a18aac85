import Type from "typebox";
import { apiPage, API_PAGE_CSP } from "./api-document/api-page.ts";
import { asyncDocument } from "./api-document/async-document.ts";
import type { ApiDocument } from "./api-document/openapi.ts";
import { VERSION } from "../version.ts";
import type { App } from "./app.ts";

const tags = ["documents"];
const AnyDocument = Type.Unsafe<unknown>(Type.Object({}, { additionalProperties: true }));

/** What describes this API: for programs, and as a page to read. */
export function registerDocumentRoutes(app: App): void {
  app.get(
    "/openapi.json",
    {
      config: { audience: "public" },
      schema: { summary: "This document (OpenAPI 3.1)", tags, response: { 200: AnyDocument } },
      // Made by @fastify/swagger, and sent whole.
      serializerCompiler: () => JSON.stringify,
    },
    async () => app.swagger(),
  );

  app.get(
    "/asyncapi.json",
    {
      config: { audience: "public" },
      schema: {
        summary: "The messages of the device socket (AsyncAPI 3.0)",
        tags,
        response: { 200: AnyDocument },
      },
      serializerCompiler: () => JSON.stringify,
    },
    async () => asyncDocument(VERSION),
  );

  let page: string | undefined;
  app.get(
    "/api",
    {
      config: { audience: "public" },
      schema: { summary: "This document as a page to read", tags, produces: ["text/html"] },
    },
    async (_request, reply) => {
      page ??= apiPage(app.swagger() as unknown as ApiDocument);
      return reply
        .headers({ "content-security-policy": API_PAGE_CSP, "cache-control": "no-cache" })
        .type("text/html; charset=utf-8")
        .send(page);
    },
  );
}
