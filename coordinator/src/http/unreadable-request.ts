import type { Socket } from "node:net";
import { failure, PROBLEM_MEDIA_TYPE, statusOf, toProblem, type TributaryError } from "@tributary/core";
import type { FastifyBaseLogger } from "fastify";

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: "Bad Request",
  408: "Request Timeout",
  431: "Request Header Fields Too Large",
};

/** No request could be read: what can be said is said, and the connection ends, as nobody knows where the next one would begin. */
export function answerUnreadable(
  log: FastifyBaseLogger,
  error: NodeJS.ErrnoException,
  socket: Pick<Socket, "bytesRead" | "destroy" | "end" | "writable">,
): void {
  // Clients connect ahead of need: an answer to nothing would be taken for that to what they send just then.
  const isUnused = error.code === "ERR_HTTP_REQUEST_TIMEOUT" && socket.bytesRead === 0;
  if (error.code === "ECONNRESET" || !socket.writable || isUnused) {
    socket.destroy();
    return;
  }
  const refused = codedError(error);
  log.info({ code: refused.code, reason: error.code }, "request refused");
  const status = statusOf(refused);
  const body = JSON.stringify(toProblem(refused));
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_TEXT[status] ?? "Refused"}\r\ncontent-type: ${PROBLEM_MEDIA_TYPE}\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/** By Node's codes: of its parser (llhttp), and of what took too long. */
function codedError({ code }: NodeJS.ErrnoException): TributaryError {
  switch (code) {
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return failure("http/timeout", "http: the request was not there in time");
    case "HPE_HEADER_OVERFLOW":
      return failure("http/headers-too-large", "http: the headers exceed their limit");
    default:
      return failure("http/bad-request", "http: not a request");
  }
}
