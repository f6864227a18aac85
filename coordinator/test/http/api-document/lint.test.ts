import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { expect, test } from "vitest";

const DOCUMENT = join(import.meta.dirname, "../../../../packages/api-client/src/generated/openapi.json");

// The committed document is the one that is served: api-document.test.ts holds them together.
test("the document is OpenAPI 3.1 as the linter knows it, with an id, a summary and a tag on each operation", async () => {
  const config = await createConfig({
    extends: ["recommended"],
    rules: {
      // The coordinator is where the document came from: "/" is its address.
      "no-server-example.com": "off",
      "operation-description": "off",
      "operation-summary": "error",
      "operation-operationId": "error",
      "operation-operationId-unique": "error",
      "operation-operationId-url-safe": "error",
      "operation-tag-defined": "error",
      "operation-4xx-response": "error",
      "tag-description": "error",
      "parameter-description": "off",
      "path-declaration-must-exist": "error",
      "no-unused-components": "error",
      "no-ambiguous-paths": "error",
    },
  });
  const found = await lintFromString({ source: await readFile(DOCUMENT, "utf8"), config });
  const problems = found.map(
    ({ ruleId, message, location }) => `${ruleId}: ${message} at ${location[0]?.pointer}`,
  );
  expect(problems).toEqual([]);
});
