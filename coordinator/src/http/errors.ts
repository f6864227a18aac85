import { failure, PROBLEM_MEDIA_TYPE, statusOf, toProblem, TributaryError } from "@tributary/core";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { unknownField } from "./strict-schemas.ts";

/** What left our hands is coded already; what Fastify found wrong with a request gets its code here. */
function codedError(error: unknown): TributaryError {
  if (TributaryError.is(error)) return error;
  const { code, statusCode = 500, validation, validationContext } = error as Partial<FastifyError>;
  const cause = { cause: error };
  if (validation !== undefined) {
    const unknown = unknownField(validation, validationContext ?? "request", error);
    if (unknown !== undefined) return unknown;
    const [first] = validation;
    return failure("http/bad-request", `http: ${validationContext} is not valid`, {
      detail: {
        in: validationContext ?? "request",
        path: first?.instancePath ?? "",
        problem: (first?.message ?? "").slice(0, 200),
      },
      ...cause,
    });
  }
  switch (code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return failure("http/payload-too-large", "http: the body exceeds its limit", cause);
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return failure("http/unsupported-media-type", "http: the content type is not supported", cause);
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
      return unreadableBody("is empty, expected JSON", cause);
    case "FST_ERR_CTP_INVALID_JSON_BODY":
      return unreadableBody("is no JSON", cause);
    default:
  }
  if (statusCode === 404) return failure("http/not-found", "http: nothing here", cause);
  if (statusCode >= 400 && statusCode < 500)
    return failure("http/bad-request", "http: the request is malformed", cause);
  return failure("core/internal", error instanceof Error ? error.message : String(error), cause);
}

function unreadableBody(problem: string, cause: { readonly cause: unknown }): TributaryError {
  return failure("http/bad-request", `http: the body ${problem}`, {
    detail: { in: "body", path: "", problem },
    ...cause,
  });
}

/** Answers with an error as a problem (RFC 9457): its public text and data; never its message, stack or cause. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const coded = codedError(error);
  const status = statusOf(coded);
  if (status >= 500) request.log.error({ err: error, code: coded.code }, "request failed");
  else request.log.info({ code: coded.code, reason: coded.message }, "request refused");
  const retryAfterMs = coded.detail["retryAfterMs"];
  if (typeof retryAfterMs === "number")
    reply.header("retry-after", Math.max(1, Math.ceil(retryAfterMs / 1000)));
  else if (status === 503 || status === 429) reply.header("retry-after", 1);
  if (status === 401) reply.header("www-authenticate", "Bearer");
  // Content that the failed answer would have had must not be cached or interpreted as it.
  for (const name of ["etag", "content-length", "last-modified", "content-disposition"])
    reply.removeHeader(name);
  return reply
    .status(status)
    .header("cache-control", "no-store")
    .header("content-type", PROBLEM_MEDIA_TYPE)
    .serializer(JSON.stringify)
    .send(toProblem(coded, { instance: `urn:uuid:${request.id}` }));
}
