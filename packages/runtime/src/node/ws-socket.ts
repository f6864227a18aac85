import { WebSocket } from "ws";
import type { OpenSocket } from "../transport/socket.ts";
import { webSocketTransport } from "../transport/web-socket.ts";

const HANDSHAKE_TIMEOUT_MS = 10_000;
/** How long a peer may take to answer the closing handshake. */
const CLOSE_GRACE_MS = 500;

/** WebSocket by `ws`: unlike Node's own it bounds a message before it is in memory. */
export const openWsSocket: OpenSocket = webSocketTransport((url, subprotocol, maxMessageBytes) => {
  const socket = new WebSocket(url, subprotocol, {
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
  });
  const close = socket.close.bind(socket);
  socket.close = (code, reason) => {
    close(code, reason);
    const terminate = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS);
    terminate.unref();
    socket.once("close", () => clearTimeout(terminate));
  };
  return socket as never;
});
