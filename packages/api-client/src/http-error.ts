import { failure, fromProblem, TributaryError, type Problem } from "@tributary/core";

function isProblem(value: unknown): value is Problem {
  return (
    typeof value === "object" &&
    value !== null &&
    "code" in value &&
    typeof value.code === "string" &&
    "title" in value &&
    typeof value.title === "string"
  );
}

/**
 * The coded error of a refused request: the coordinator's own where the body is a problem (RFC 9457),
 * else `http/unexpected-response`, which is what a proxy or a wrong address gives.
 */
export function errorFromBody(request: string, response: Response, body: unknown): TributaryError {
  if (isProblem(body)) return fromProblem(body);
  return failure(
    "http/unexpected-response",
    `${request}: expected the API's JSON, got ${response.status} ${response.statusText} (${
      response.headers.get("content-type") ?? "no content type"
    }); check that the address is a coordinator's`,
    { detail: { request, status: response.status } },
  );
}

/** An answer that should be JSON and is not: a page of a proxy, or of something else at that address. */
export function notJson(request: string, cause: unknown): TributaryError {
  return failure(
    "http/unexpected-response",
    `${request}: the answer is no JSON; check that the address is a coordinator's`,
    {
      detail: { request },
      cause,
    },
  );
}

/** A request that got no answer at all. An abort by the caller keeps its own reason. */
export function errorFromThrown(request: string, thrown: unknown, signal?: AbortSignal | null): unknown {
  if (signal?.aborted === true) return signal.reason;
  if (TributaryError.is(thrown)) return thrown;
  return failure(
    "transport/connect-failed",
    `${request}: no answer; check that the coordinator runs and the address`,
    {
      detail: { request },
      cause: thrown,
    },
  );
}
