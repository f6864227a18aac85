import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { failure, PROBLEM_MEDIA_TYPE, statusOf, toProblem, type TributaryError } from "@tributary/core";
import { SUBPROTOCOL } from "@tributary/protocol";
import type { AccessPolicy } from "../http/access-policy.ts";

const CONNECT_PATH = "/v1/connect";

/** What is wrong with an upgrade request by itself; undefined when it may become a connection. */
export function refuseUpgrade(
  request: IncomingMessage,
  access: Pick<AccessPolicy, "hostAllowed" | "deviceAllowed">,
): TributaryError | undefined {
  const { headers } = request;
  if (request.url?.split("?")[0] !== CONNECT_PATH) {
    return failure("http/not-found", `gateway: no WebSocket at ${String(request.url).slice(0, 100)}`);
  }
  if (!access.hostAllowed(headers.host)) {
    return failure("http/host-refused", `gateway: no answer for host ${String(headers.host).slice(0, 100)}`);
  }
  // Any population's origin for now; the certificate says which one's it has to be.
  if (!access.deviceAllowed(headers)) {
    return failure("http/origin-refused", `gateway: origin ${String(headers.origin).slice(0, 100)}`);
  }
  const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  if (!offered.includes(SUBPROTOCOL)) {
    return failure("http/bad-request", `gateway: the subprotocol ${SUBPROTOCOL} is not offered`, {
      detail: { subprotocol: SUBPROTOCOL },
    });
  }
  return undefined;
}

/** Answers an upgrade request with an error over plain HTTP and ends the connection. */
export function answerRefused(
  socket: Duplex,
  error: TributaryError,
  options: { readonly retryAfterMs?: number } = {},
): void {
  const status = statusOf(error);
  const body = JSON.stringify(toProblem(error));
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? "Refused"}`,
    `content-type: ${PROBLEM_MEDIA_TYPE}`,
    `content-length: ${new TextEncoder().encode(body).length}`,
    "cache-control: no-store",
    "connection: close",
  ];
  if (options.retryAfterMs !== undefined) {
    lines.push(`retry-after: ${Math.max(1, Math.ceil(options.retryAfterMs / 1000))}`);
  }
  socket.once("finish", () => socket.destroy());
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  421: "Misdirected Request",
  503: "Service Unavailable",
};

/** Whether an address is this machine itself. */
export function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127.");
}
