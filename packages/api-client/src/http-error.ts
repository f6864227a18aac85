import { failure, fromWire, TributaryError, type WireError } from "@tributary/core";

function isWireError(value: unknown): value is WireError {
  return (
    typeof value === "object" &&
    value !== null &&
    "code" in value &&
    typeof value.code === "string" &&
    "message" in value &&
    typeof value.message === "string"
  );
}

/**
 * The coded error of a refused request: the coordinator's own `{ error: WireError }` where the body holds one,
 * else `http/unexpected-response`, which is what a proxy or a wrong address gives.
 */
export function errorFromBody(request: string, response: Response, body: unknown): TributaryError {
  if (typeof body === "object" && body !== null && "error" in body && isWireError(body.error)) {
    return fromWire(body.error);
  }
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
