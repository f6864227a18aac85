import type { Json, Operation } from "./openapi.ts";

const DESCRIPTIONS: Readonly<Record<number, string>> = {
  400: "The request is malformed",
  401: "No valid credentials",
  403: "Not allowed",
  404: "There is no such thing",
  408: "The request took too long to arrive",
  409: "It conflicts with how things stand",
  410: "It is over",
  412: "What was to be changed is not what If-Match names",
  413: "The body is too large",
  415: "The body's content type is not taken",
  416: "The range lies outside",
  421: "This server is not the host that was asked for",
  422: "It is well-formed, and cannot be done",
  429: "Too many requests; Retry-After says when to come back",
  500: "Something went wrong inside; it was logged",
  501: "This coordinator cannot do that",
  502: "A part that was asked gave no good answer",
  503: "Not now; Retry-After says when to come back",
  504: "A part that was asked gave no answer in time",
  507: "There is no room left to store it",
};

/** The one shape of an error, which every operation refers to. */
export const PROBLEM_RESPONSE = {
  description: "An error",
  headers: {
    "Retry-After": { description: "Seconds to wait", schema: { type: "integer", minimum: 1 } },
    "WWW-Authenticate": {
      description: "With 401: how to identify oneself",
      schema: { type: "string" },
    },
  },
} as const;

/** Which errors an operation can answer with, by what it is. */
export function problemResponses(method: string, operation: Operation): Record<string, Json> {
  const { parameters = [], requestBody, security } = operation;
  const changes = !["get", "head"].includes(method);
  const statuses = new Set([400, 421, 429, 500, 503]);
  const add = (...more: readonly number[]): void => more.forEach((status) => statuses.add(status));
  if (parameters.some((parameter) => parameter.in === "path")) add(404, 410);
  if (Array.isArray(security) && security.length > 0) add(401, 403);
  // What a body names need not be there.
  if (changes) add(401, 403, 404, 409, 413, 415, 422, 501, 502, 504, 507);
  if (requestBody !== undefined) add(408);
  if (operation["x-audience"] === "device") add(401, 403);
  if (operation.responses["412"] !== undefined) add(412);
  add(...((operation["x-problems"] ?? []) as readonly number[]));
  if (operation.responses["206"] !== undefined) add(416);
  return Object.fromEntries(
    [...statuses]
      .toSorted((a, b) => a - b)
      .map((status) => [
        String(status),
        { $ref: "#/components/responses/Problem", description: DESCRIPTIONS[status]! },
      ]),
  );
}
