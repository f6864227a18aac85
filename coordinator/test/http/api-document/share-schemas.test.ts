import { expect, test } from "vitest";
import { shareSchemas } from "../../../src/http/api-document/share-schemas.ts";
import type { Json, Operation } from "../../../src/http/api-document/openapi.ts";

const leaf = { type: "object", properties: { a: { type: "integer" } } };
const branch = { type: "object", properties: { leaf, of: { anyOf: [leaf, { type: "null" }] } } };

const documentOf = (schema: Json) => ({
  openapi: "3.1.0",
  info: {},
  components: {},
  paths: {
    "/x": {
      get: { responses: { 200: { content: { "application/json": { schema } } } } } satisfies Operation,
    },
  },
});
const sharedIn = (schema: Json, named: Record<string, Json>) => {
  const { paths, components } = shareSchemas(documentOf(schema), named);
  const answer = paths["/x"]!["get"]!.responses["200"] as never as ReturnType<typeof Object>;
  return { used: answer.content["application/json"].schema as Json, schemas: components["schemas"] };
};

test("each named schema stands in the document once, within another too, whatever the order of its keys", () => {
  const reordered = { properties: { a: { type: "integer" } }, type: "object" };
  const { used, schemas } = sharedIn({ type: "array", items: branch }, { Branch: branch, Leaf: reordered });
  expect(used).toEqual({ type: "array", items: { $ref: "#/components/schemas/Branch" } });
  const reference = { $ref: "#/components/schemas/Leaf" };
  expect(schemas).toEqual({
    Branch: { type: "object", properties: { leaf: reference, of: { anyOf: [reference, { type: "null" }] } } },
    Leaf: leaf,
  });
});

test("what no route uses is left out; a record of any names has one form", () => {
  const record = { type: "object", patternProperties: { "^.*$": { type: "number" } } };
  const { used, schemas } = sharedIn(
    { type: "object", additionalProperties: { type: "number" } },
    { Record: record, Leaf: leaf },
  );
  expect(used).toEqual({ $ref: "#/components/schemas/Record" });
  expect(Object.keys(schemas!)).toEqual(["Record"]);
});
