import {
  concatBytes,
  decodeUtf8,
  failure,
  type TributaryError,
  type Clock,
  type Problem,
} from "@tributary/core";
import type { HttpResponse } from "./requests.ts";

const MAX_ERROR_BODY_BYTES = 64 * 1024;

/** Reads a body of at most `maxBytes`. What is longer is `tooLarge`, and the connection is let go. */
export async function readBody(
  response: HttpResponse,
  maxBytes: number,
  onBytes?: (count: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of chunksOf(response)) {
    total += chunk.length;
    onBytes?.(chunk.length);
    if (total > maxBytes) {
      throw failure(
        "transport/too-large",
        `http: ${response.url}: the answer has more than ${maxBytes} bytes`,
        { detail: { maxBytes } },
      );
    }
    chunks.push(chunk);
  }
  return concatBytes(...chunks);
}

/** Reads a body that nobody needs: cancelled instead, it would cost the connection. Never throws. */
export async function drain(response: HttpResponse): Promise<void> {
  await readBody(response, MAX_ERROR_BODY_BYTES).catch(() => undefined);
}

/** The chunks of a body. Leaving the loop cancels the transfer; a lost connection is retryable. */
export async function* chunksOf(response: HttpResponse): AsyncGenerator<Uint8Array> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  let ended = false;
  try {
    for (;;) {
      let read: ReadableStreamReadResult<Uint8Array>;
      try {
        read = await reader.read();
      } catch (cause) {
        ended = true;
        throw failure("transport/closed", `http: ${response.url}: the connection broke off`, { cause });
      }
      if (read.done) {
        ended = true;
        return;
      }
      yield read.value;
    }
  } finally {
    if (!ended) await reader.cancel().catch(() => undefined);
  }
}

/** An answer outside 2xx as a coded error: the server's own where it sent one. */
export async function errorOf(response: HttpResponse, clock: Clock): Promise<TributaryError> {
  const retryAfter = parseRetryAfter(response.headers.get("retry-after"), clock);
  const detail = {
    status: response.status,
    ...(retryAfter === undefined ? {} : { retryAfterMs: retryAfter }),
  };
  const problem = await readProblem(response);
  if (problem !== undefined) {
    // Only who meets such an error needs to know all codes.
    const { fromProblem } = await import("./wire-error.ts");
    const sent = fromProblem(problem);
    return failure(sent.code, sent.message, { detail: { ...sent.detail, ...detail } });
  }
  const { status } = response;
  const code =
    status === 429
      ? "http/too-many-requests"
      : status === 404
        ? "http/not-found"
        : status === 408 || status === 425 || status >= 500
          ? "http/unavailable"
          : "http/bad-request";
  return failure(code, `http: ${response.url} answered ${status}`, { detail });
}

async function readProblem(response: HttpResponse): Promise<Partial<Problem> | undefined> {
  try {
    const body = JSON.parse(
      decodeUtf8(await readBody(response, MAX_ERROR_BODY_BYTES)),
    ) as Partial<Problem> | null;
    return typeof body?.code === "string" ? body : undefined;
  } catch {
    return undefined;
  }
}

/** Seconds or an HTTP date, as milliseconds from now. */
export function parseRetryAfter(value: string | null, clock: Clock): number | undefined {
  if (value === null) return undefined;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - clock.now());
}
