/** Why a socket ended, as the platform told it. */
export interface SocketClosed {
  /** WebSocket close code; 1006 where the connection was lost without one. */
  readonly code: number;
  readonly reason: string;
}

export interface SocketHandlers {
  opened(): void;
  /** One binary message. */
  message(bytes: Uint8Array): void;
  /** Called exactly once, also when the connection could not be opened. Nothing follows it. */
  closed(closed: SocketClosed): void;
}

export interface Socket {
  /** Bytes handed over that have not left yet. */
  readonly bufferedBytes: number;
  /** Sends one binary message. After the end it does nothing. */
  send(frame: Uint8Array): void;
  /** Idempotent; `closed` follows. */
  close(code?: number, reason?: string): void;
}

export interface OpenSocketOptions {
  readonly url: string;
  readonly subprotocol: string;
  /** Larger messages end the connection. */
  readonly maxMessageBytes: number;
}

/** Opens a WebSocket. Never throws: what goes wrong arrives as `closed`. */
export type OpenSocket = (options: OpenSocketOptions, handlers: SocketHandlers) => Socket;
