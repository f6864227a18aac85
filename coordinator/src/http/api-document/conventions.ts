import { IDEMPOTENCY_LIMITS } from "../idempotency.ts";
import { readPathOf } from "../preconditions.ts";
import type { Json, Operation, Parameter } from "./openapi.ts";

const parameter = (name: string): Json => ({ $ref: `#/components/parameters/${name}` });
const header = (name: string): Json => ({ $ref: `#/components/headers/${name}` });

/** What many operations share: headers that are sent, and headers that are answered. */
export const SHARED_COMPONENTS = {
  parameters: {
    IfNoneMatch: {
      name: "If-None-Match",
      in: "header",
      description: "ETag of a copy that the caller has: 304 while it is current",
      schema: { type: "string" },
      example: '"5f70bf18a086007016e948b04aed3b82"',
    },
    IfMatch: {
      name: "If-Match",
      in: "header",
      description: "ETag of what is to be changed, as the caller read it: 412 when it is another one now",
      schema: { type: "string" },
      example: '"5f70bf18a086007016e948b04aed3b82"',
    },
    IdempotencyKey: {
      name: "Idempotency-Key",
      in: "header",
      description:
        "A new random text for each thing that is to be made: sent again within a day, the request is not done again and gets the same answer",
      schema: {
        type: "string",
        pattern: "^[!-~]+$",
        minLength: 1,
        maxLength: IDEMPOTENCY_LIMITS.maxKeyCharacters,
      },
      example: "0f8fad5b-d9cb-469f-a165-70867728950e",
    },
    LastEventId: {
      name: "Last-Event-ID",
      in: "header",
      description:
        "The stream goes on after this event; `reset` comes first when what followed it is not kept any more",
      schema: { type: "string", maxLength: 20 },
      example: "1042",
    },
    Range: {
      name: "Range",
      in: "header",
      description: "One range of bytes, to go on with a download",
      schema: { type: "string" },
      example: "bytes=1048576-",
    },
  },
  headers: {
    ETag: { description: "Another one as soon as anything in the answer is", schema: { type: "string" } },
    CacheControl: { schema: { type: "string" } },
    ContentRange: { schema: { type: "string" }, example: "bytes 1048576-2097151/2097152" },
    IdempotencyReplayed: {
      description: "The answer was given before: nothing was done again",
      schema: { const: "true" },
    },
  },
} satisfies Readonly<Record<string, Json>>;

/** Adds to an operation what its kind has beside its own schemas. */
export function withConventions(
  method: string,
  path: string,
  operation: Operation,
  isRead: (path: string) => boolean,
): Operation {
  if (method === "get" || method === "head") return asRead(method, operation);
  return operation["x-audience"] === "operator" ? asChange(method, path, operation, isRead) : operation;
}

function asRead(method: string, operation: Operation): Operation {
  const { responses, parameters = [] } = operation;
  const ok = responses["200"] as { content?: Readonly<Record<string, Json>> } & Record<string, Json>;
  const types = Object.keys(ok.content ?? {});
  if (types.includes("text/event-stream"))
    return { ...operation, parameters: [...parameters, parameter("LastEventId") as never] };
  const ranges = operation["x-ranges"] === true;
  const headers = { ETag: header("ETag"), "Cache-Control": header("CacheControl") };
  const { content, ...withoutContent } = ok;
  const whole: Json = { ...(method === "head" ? withoutContent : ok), headers };
  return {
    ...operation,
    parameters: [
      ...parameters,
      parameter("IfNoneMatch") as never,
      ...(ranges ? [parameter("Range") as never] : []),
    ] as readonly Parameter[],
    responses: {
      ...responses,
      200: whole,
      ...(ranges && {
        206: {
          description: "The range that was asked for",
          headers: { ...headers, "Content-Range": header("ContentRange") },
          ...(method === "get" && content !== undefined && { content }),
        },
      }),
      304: { description: "The caller's copy is current", headers },
    },
  };
}

function asChange(
  method: string,
  path: string,
  operation: Operation,
  isRead: (path: string) => boolean,
): Operation {
  const { responses, parameters = [] } = operation;
  const guarded = readPathOf(path, isRead) !== undefined;
  const once = method === "post";
  const more = [...(guarded ? [parameter("IfMatch")] : []), ...(once ? [parameter("IdempotencyKey")] : [])];
  const replayed = { headers: { "Idempotency-Replayed": header("IdempotencyReplayed") } };
  return {
    ...operation,
    ...(more.length > 0 && { parameters: [...parameters, ...(more as never as Parameter[])] }),
    responses: {
      ...(Object.fromEntries(
        Object.entries(responses).map(([status, response]) => [
          status,
          once ? { ...(response as object), ...replayed } : response,
        ]),
      ) as Operation["responses"]),
      ...(guarded && { 412: { description: "It is not what If-Match names" } }),
    },
  };
}
