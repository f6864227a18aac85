import type { RouteOptions } from "fastify";
import { routeAccess } from "../../access/route-access.ts";
import { asWritten } from "./as-written.ts";
import type { Json } from "./openapi.ts";

const OPERATOR = [{ operator: [] }, { session: [] }];

interface RouteSchema {
  readonly body?: Json;
  readonly consumes?: readonly string[];
  readonly params?: Json;
  readonly querystring?: Json;
  readonly produces?: readonly string[];
  readonly response?: Readonly<Record<string, Json>>;
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[] | undefined;
  readonly [key: string]: unknown;
}

/** What the document says of a route beyond the schemas that its requests are checked with. */
export function describeRoute({
  schema,
  url,
  route,
}: {
  schema: unknown;
  url: string;
  route: RouteOptions;
}): {
  schema: never;
  url: string;
} {
  const given = (schema ?? { hide: true }) as RouteSchema;
  if (given["hide"] === true) return { schema: given as never, url };
  const access = routeAccess(route, String([route.method].flat()[0]));
  const described: RouteSchema = {
    ...given,
    // A body that reaches its handler as a stream is checked there.
    ...(given.body === undefined && given.consumes !== undefined && { body: BYTES }),
    ...(given.response === undefined &&
      given.produces !== undefined && { response: { 200: answerOf(given.produces) } }),
    ...(given.body !== undefined && { body: asWritten(given.body) }),
    ...(given.querystring !== undefined && { querystring: asWritten(given.querystring) }),
    security: access.audience === "operator" ? OPERATOR : (given.security ?? []),
    ...(access.audience === "operator" && { "x-needs": access.needs }),
    ...(route.config?.problems !== undefined && { "x-problems": route.config.problems }),
    "x-audience": access.audience,
    ...(route.config?.ranges === true && { "x-ranges": true }),
  };
  const rest = url.endsWith("/*");
  return {
    schema: (rest ? { ...described, params: renamed(given.params) } : described) as never,
    url: rest ? `${url.slice(0, -1)}:path` : url,
  };
}

/** Any bytes, which JSON Schema has no word for. */
const BYTES = { type: "string", format: "binary" } as const;

function answerOf(types: readonly string[]): Json {
  return {
    description: "As asked for",
    content: Object.fromEntries(types.map((type) => [type, { schema: schemaOf(type) }])),
  };
}

function schemaOf(type: string): Json {
  if (type.endsWith("json")) return { type: "object" };
  return type.startsWith("text/") ? { type: "string" } : BYTES;
}

/** The rest of a path is `*` to the router, which no document can name. */
function renamed(params: Json | undefined): Json {
  const { "*": path, ...others } = (params as { properties: Record<string, Json> }).properties;
  return { type: "object", required: ["path"], properties: { ...others, path: path! } };
}
