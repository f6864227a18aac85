import { failure, type TributaryError } from "@tributary/core";
import { encodeServerMessage, refusalOf, type ServerMessage } from "@tributary/protocol";
import { WebSocket } from "ws";
import type { AccessHeaders } from "../http/access-policy.ts";
import type { ConnectedDevice } from "./gateway-types.ts";
import type { ConnectionTrace } from "./connection-trace.ts";
import type { TokenBucket } from "./token-bucket.ts";

/** WebSocket close codes (RFC 6455 7.4.1). */
const CLOSE = { goingAway: 1001, unsupportedData: 1003, policy: 1008, tooLarge: 1009, tryLater: 1013 };

/** How long a peer has to answer a close before its socket is cut. */
export const CLOSE_GRACE_MS = 1_000;

export interface SessionOptions {
  readonly socket: WebSocket;
  readonly id: string;
  readonly address: string;
  /** Of the upgrade request. */
  readonly headers: AccessHeaders;
  readonly nonce: Uint8Array;
  readonly bucket: TokenBucket;
  readonly maxBufferedBytes: number;
  readonly nowMs: number;
  /** Of how it connected. */
  readonly connection: ConnectionTrace;
}

/** One connection. Its times are on the monotonic clock. */
export class Session {
  readonly id: string;
  readonly address: string;
  readonly headers: AccessHeaders;
  /** Of the challenge. */
  readonly nonce: Uint8Array;
  readonly bucket: TokenBucket;
  readonly openedAtMs: number;
  readonly connection: ConnectionTrace;
  /** `model/channel` of the releases it wants to hear of. */
  readonly subscriptions = new Set<string>();
  heardAtMs: number;
  phase: "greeting" | "checking" | "open" | "closing" = "greeting";
  closingSinceMs: number | undefined;
  device: ConnectedDevice | undefined;
  readonly #socket: WebSocket;
  readonly #maxBufferedBytes: number;

  constructor(options: SessionOptions) {
    this.id = options.id;
    this.address = options.address;
    this.headers = options.headers;
    this.connection = options.connection;
    this.nonce = options.nonce;
    this.bucket = options.bucket;
    this.openedAtMs = options.nowMs;
    this.heardAtMs = options.nowMs;
    this.#socket = options.socket;
    this.#maxBufferedBytes = options.maxBufferedBytes;
  }

  send(message: ServerMessage): boolean {
    return this.sendFrame(encodeServerMessage(message));
  }

  /** An encoded message. A peer that does not read is cut: what it missed it asks for when it is back. */
  sendFrame(frame: Uint8Array): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return false;
    if (this.#socket.bufferedAmount + frame.length > this.#maxBufferedBytes) {
      this.terminate();
      return false;
    }
    this.#socket.send(frame);
    return true;
  }

  /** Says why, then closes. Idempotent. */
  refuse(error: TributaryError, nowMs: number, options: { retryAfterMs?: number } = {}): void {
    if (this.phase === "closing") return;
    this.connection.refused(error.code);
    this.send(refusalOf(error, options));
    this.phase = "closing";
    this.closingSinceMs = nowMs;
    this.#socket.close(closeCode(error), error.code);
  }

  terminate(): void {
    this.#socket.terminate();
  }
}

function closeCode({ code }: TributaryError): number {
  switch (code) {
    case "protocol/text-frame":
      return CLOSE.unsupportedData;
    case "protocol/frame-too-large":
      return CLOSE.tooLarge;
    case "protocol/shutting-down":
      return CLOSE.goingAway;
    case "protocol/too-many-connections":
      return CLOSE.tryLater;
    default:
      return CLOSE.policy;
  }
}

/** The error of a connection that says nothing for too long. */
export function silence(session: Session, nowMs: number): TributaryError {
  if (session.phase === "open") {
    const silentMs = Math.round(nowMs - session.heardAtMs);
    return failure("protocol/idle-timeout", `gateway: ${session.id} was silent for ${silentMs} ms`, {
      detail: { silentMs },
    });
  }
  return failure("protocol/hello-timeout", `gateway: ${session.id} did not say hello in time`);
}
