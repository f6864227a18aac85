import Type from "typebox";
import type { App } from "./app.ts";

const tags = ["documents"];

/** What describes this API: for programs. */
export function registerDocumentRoutes(app: App): void {
  app.get(
    "/openapi.json",
    {
      config: { audience: "public" },
      schema: {
        summary: "This document (OpenAPI 3.1)",
        tags,
        response: { 200: Type.Unsafe<unknown>(Type.Object({}, { additionalProperties: true })) },
      },
      // Said by @fastify/swagger, whole.
      serializerCompiler: () => JSON.stringify,
    },
    async () => app.swagger(),
  );
}
