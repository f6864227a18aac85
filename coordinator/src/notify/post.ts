import { request as requestHttp, type IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";
import { failure } from "@tributary/core";
import type { Destination } from "./destinations.ts";

/** Longest that a receiver may take. */
export const POST_TIMEOUT_MS = 10_000;
/** Of an answer: enough of what an error says. */
const MAX_ANSWER_BYTES = 1_024;

export interface Posted {
  readonly status: number;
  /** As the receiver asks for it; null: it does not. */
  readonly retryAfterMs: number | null;
}

/**
 * Sends a JSON body to one address and reads the status. No redirect is followed: another address would be one that nobody allowed.
 *
 * @throws `notify/not-delivered`
 */
export function postJson(
  url: URL,
  body: string,
  options: {
    readonly destination: Destination;
    readonly headers: Readonly<Record<string, string>>;
    readonly ca?: string | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly timeoutMs?: number;
  },
): Promise<Posted> {
  const { destination, headers, ca, signal, timeoutMs = POST_TIMEOUT_MS } = options;
  const send = url.protocol === "https:" ? requestHttps : requestHttp;
  const limits = [AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])];
  return new Promise((resolve, reject) => {
    const failed = (cause: unknown): void => reject(notDelivered(url.host, cause));
    const request = send(
      url,
      {
        method: "POST",
        agent: false,
        lookup: lookupOf(destination),
        signal: AbortSignal.any(limits),
        headers: {
          "content-type": "application/json; charset=utf-8",
          "content-length": Buffer.byteLength(body),
          "user-agent": "tributary-coordinator",
          ...headers,
        },
        ...(ca === undefined || url.protocol !== "https:" ? {} : { ca }),
      },
      (response) => {
        drain(response);
        const after = Number(response.headers["retry-after"]);
        response.on("error", failed);
        response.on("close", () =>
          resolve({
            status: response.statusCode ?? 0,
            retryAfterMs: Number.isFinite(after) && after >= 0 ? after * 1_000 : null,
          }),
        );
      },
    );
    request.on("error", failed);
    request.end(body);
  });
}

/** Reads on, but not for ever. */
function drain(response: IncomingMessage): void {
  let length = 0;
  response.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) response.destroy();
  });
}

/** To the address that was looked at, whatever the name leads to by now. */
function lookupOf({ address, family }: Destination): LookupFunction {
  return (_, options, callback) => {
    if (options.all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
}

function notDelivered(host: string, cause: unknown): Error {
  const { code, name } = cause as { readonly code?: string; readonly name?: string };
  const why =
    name === "TimeoutError"
      ? "it took too long"
      : name === "AbortError"
        ? "it was broken off"
        : (code ?? "failed");
  return failure("notify/not-delivered", `notify: ${host}: ${why}`, { detail: { host, why }, cause });
}
