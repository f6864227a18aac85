import type { OpenSocket } from "./socket.ts";

/** The part of the WebSocket standard that is used; the browser's class and that of `ws` both have it. */
export interface WebSocketLike {
  binaryType: string;
  readonly bufferedAmount: number;
  readonly readyState: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: "close",
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

const OPEN = 1;
const UNSUPPORTED_DATA = 1003;
const MESSAGE_TOO_BIG = 1009;
const ABNORMAL = 1006;

/** Makes an `OpenSocket` of a WebSocket class. */
export function webSocketTransport(
  construct: (url: string, subprotocol: string, maxMessageBytes: number) => WebSocketLike,
): OpenSocket {
  return (options, handlers) => {
    let ended = false;
    const end = (code: number, reason: string) => {
      if (ended) return;
      ended = true;
      handlers.closed({ code, reason });
    };
    let socket: WebSocketLike;
    try {
      socket = construct(options.url, options.subprotocol, options.maxMessageBytes);
    } catch (cause) {
      queueMicrotask(() => end(ABNORMAL, cause instanceof Error ? cause.message : String(cause)));
      return { bufferedBytes: 0, send: () => {}, close: () => {} };
    }
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      if (!ended) handlers.opened();
    });
    // An error is always followed by a close, which tells as much.
    socket.addEventListener("error", () => {});
    socket.addEventListener("message", (event) => {
      if (ended) return;
      if (!(event.data instanceof ArrayBuffer)) {
        socket.close(UNSUPPORTED_DATA, "binary messages only");
        return end(UNSUPPORTED_DATA, "the server sent a text message");
      }
      if (event.data.byteLength > options.maxMessageBytes) {
        // Browsers forbid 1009 to scripts.
        socket.close();
        return end(MESSAGE_TOO_BIG, "the server sent an oversized message");
      }
      handlers.message(new Uint8Array(event.data));
    });
    socket.addEventListener("close", (event) => end(event.code, event.reason));
    return {
      get bufferedBytes() {
        return socket.bufferedAmount;
      },
      send(frame) {
        if (!ended && socket.readyState === OPEN) socket.send(frame as Uint8Array<ArrayBuffer>);
      },
      close(code = 1000, reason = "") {
        if (ended) return;
        socket.close(code, reason);
        // A peer that vanished never answers the closing handshake.
        end(code, reason);
      },
    };
  };
}
