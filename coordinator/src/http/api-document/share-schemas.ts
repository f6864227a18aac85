import type { ApiDocument, Json } from "./openapi.ts";

const IN_DOCUMENT = "#/components/schemas/";

/**
 * Puts each named schema into the document once, and refers to it wherever a route has the same: routes hold their schemas whole, and
 * a task's alone would stand there seven times.
 *
 * @param named - schemas by the names that they get
 */
export function shareSchemas(document: ApiDocument, named: Readonly<Record<string, Json>>): ApiDocument {
  const names = new Map<string, string>();
  for (const [name, schema] of Object.entries(named)) {
    const text = canonicalText(plain(schema));
    if (!names.has(text)) names.set(text, name);
  }
  const shared: Record<string, Json> = {};

  const withReferences = (node: Json, self?: string): Json => {
    if (Array.isArray(node)) return node.map((each: Json) => withReferences(each));
    if (typeof node !== "object" || node === null) return node;
    const name = names.get(canonicalText(node));
    if (name !== undefined && name !== self) {
      if (shared[name] === undefined) {
        // First, for it may hold itself.
        shared[name] = true;
        shared[name] = withReferences(node, name);
      }
      return { $ref: `${IN_DOCUMENT}${name}` };
    }
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, withReferences(value)]));
  };

  const paths = withReferences(plain(document.paths)) as ApiDocument["paths"];
  const { schemas, ...others } = document.components;
  const components = withReferences(plain(others)) as ApiDocument["components"];
  const inOrder = Object.entries(shared).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...document,
    paths,
    components: { schemas: { ...schemas, ...Object.fromEntries(inOrder) }, ...components },
  };
}

/** As JSON has it, in the one form that records have in the document. */
function plain<Value>(value: Value): Json {
  return JSON.parse(JSON.stringify(value), (_key, node: Json) => {
    if (typeof node !== "object" || node === null || !Object.hasOwn(node, "patternProperties")) return node;
    const { patternProperties, ...schema } = node as Record<string, Json>;
    return { ...schema, additionalProperties: Object.values(patternProperties as object)[0] as Json };
  }) as Json;
}

function canonicalText(node: Json): string {
  return JSON.stringify(node, (_key, value: Json) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
