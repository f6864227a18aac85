import { TributaryError, toFailure, type Env, type Timer } from "@tributary/core";
import {
  chooseVersion,
  decodeServerMessage,
  encodeDeviceMessage,
  errorOfRefusal,
  helloMessage,
  LIMITS,
  SUBPROTOCOL,
  type DeviceMessage,
  type ServerMessage,
} from "@tributary/protocol";
import type { Identity } from "../identity.ts";
import type { ConnectionState } from "../runtime.ts";
import { backoffMs, retryAfterMs } from "./retry.ts";
import type { OpenSocket, Socket } from "./socket.ts";

export interface ControlChannelOptions {
  /** Origin of the coordinator. */
  readonly coordinator: string;
  readonly openSocket: OpenSocket;
  readonly identity: Pick<Identity, "certificate" | "sign" | "discardCertificate">;
  readonly software: string;
  readonly env: Env;
  /** Messages of an established session; `challenge`, `welcome` and `heartbeat-ack` stay inside. */
  readonly onMessage: (message: ServerMessage) => void;
  readonly onState: (change: ConnectionChange) => void;
}

export interface ConnectionChange {
  readonly state: ConnectionState;
  /** With "offline": when the next try begins. */
  readonly retryInMs?: number;
  /** With "offline": why, where it is known. */
  readonly error?: TributaryError;
}

/**
 * The control connection: one WebSocket after the other, until it is closed. It answers the challenge, keeps the
 * connection alive, notices when it died, and comes back with exponential backoff and jitter, forever.
 */
export interface ControlChannel {
  readonly state: ConnectionState;
  /** What to add to the device's monotonic clock to get the coordinator's: setting the device's clock moves no deadline. */
  readonly serverOffsetMs: number;
  start(): void;
  /** False where there is no session; nothing is queued, the caller says it again after "connected". */
  send(message: DeviceMessage): boolean;
  /** Tries now, as when the network came back. */
  nudge(): void;
  /** Ends the connection until it is started again. */
  pause(): void;
  /** Idempotent. */
  close(): void;
}

/** From opening the socket to the challenge, and from the hello to the welcome. */
const HANDSHAKE_TIMEOUT_MS = 15_000;
/** A session that hears nothing for this many heartbeat intervals is dead. */
const SILENT_INTERVALS = 2.5;
/** A session shorter than this counts as another failure: a server that greets and closes is not stormed. */
const STABLE_SESSION_MS = 1_000;

type Phase = "connecting" | "authenticating" | "greeting" | "connected" | "ended";

/** What belongs to one socket; late callbacks of an older one find `ended`. */
interface Attempt {
  phase: Phase;
  socket: Socket | undefined;
  deadline: Timer | undefined;
  heartbeat: Timer | undefined;
  heartbeatIntervalMs: number;
  heardAtMs: number;
  connectedAtMs: number | undefined;
  nonce: number;
  error: TributaryError | undefined;
  readonly abort: AbortController;
}

export function createControlChannel(options: ControlChannelOptions): ControlChannel {
  const { env, identity, onMessage, onState } = options;
  const { clock } = env;
  const url = `${options.coordinator.replace(/^http/, "ws")}/v1/connect`;
  let state: ConnectionState = "offline";
  let attempt: Attempt | undefined;
  let retry: Timer | undefined;
  let failures = 0;
  let serverOffsetMs = clock.now() - clock.monotonicMs();
  let started = false;

  const change = (next: ConnectionChange): void => {
    state = next.state;
    onState(next);
  };

  const connect = (): void => {
    retry = undefined;
    const current: Attempt = {
      phase: "connecting",
      socket: undefined,
      deadline: undefined,
      heartbeat: undefined,
      heartbeatIntervalMs: LIMITS.heartbeatIntervalMs,
      heardAtMs: clock.monotonicMs(),
      connectedAtMs: undefined,
      nonce: 0,
      error: undefined,
      abort: new AbortController(),
    };
    attempt = current;
    change({ state: "connecting" });
    expect(current, "the coordinator's challenge");
    current.socket = options.openSocket(
      { url, subprotocol: SUBPROTOCOL, maxMessageBytes: LIMITS.maxFrameBytes },
      {
        opened: () => {},
        message: (bytes) => {
          if (current.phase === "ended") return;
          current.heardAtMs = clock.monotonicMs();
          try {
            receive(current, decodeServerMessage(bytes));
          } catch (error) {
            fail(current, toFailure(error, "protocol/invalid-message"));
          }
        },
        closed: ({ code, reason }) =>
          fail(
            current,
            new TributaryError(
              current.phase === "connecting" ? "transport/connect-failed" : "transport/closed",
              `connection to ${url} ended: ${code} ${reason}`.trimEnd(),
              { detail: { closeCode: code } },
            ),
          ),
      },
    );
  };

  /** The next message has to come in time. */
  const expect = (current: Attempt, what: string): void => {
    current.deadline?.cancel();
    current.deadline = clock.schedule(HANDSHAKE_TIMEOUT_MS, () =>
      fail(
        current,
        new TributaryError("core/timeout", `connection to ${url}: ${what} did not come in time`, {
          detail: { timeoutMs: HANDSHAKE_TIMEOUT_MS },
        }),
      ),
    );
  };

  const receive = (current: Attempt, message: ServerMessage): void => {
    // The session went on after a refusal: it was that of a request, and no reason for a later end.
    if (message.type !== "refusal") current.error = undefined;
    switch (message.type) {
      case "challenge": {
        if (current.phase !== "connecting") throw unexpected(message);
        serverOffsetMs = message.serverTimeMs - clock.monotonicMs();
        const version = chooseVersion(message);
        current.phase = "authenticating";
        current.deadline?.cancel();
        greet(current, version, message.nonce).catch((error: unknown) =>
          fail(current, toFailure(error, "identity/enrolment-failed")),
        );
        return;
      }
      case "welcome":
        if (current.phase !== "greeting") throw unexpected(message);
        current.deadline?.cancel();
        current.phase = "connected";
        current.heartbeatIntervalMs = message.heartbeatIntervalMs;
        current.connectedAtMs = clock.monotonicMs();
        scheduleHeartbeat(current);
        change({ state: "connected" });
        return;
      case "refusal":
        // The server closes after a refusal of the connection; the session survives one of a request.
        current.error = errorOfRefusal(message);
        if (message.retryAfterMs !== undefined) {
          current.error = new TributaryError(current.error.code, current.error.message, {
            detail: { ...current.error.detail, retryAfterMs: message.retryAfterMs },
          });
        }
        if (current.phase === "connected") onMessage(message);
        return;
      case "heartbeat-ack":
        return;
      default:
        if (current.phase !== "connected") throw unexpected(message);
        onMessage(message);
    }
  };

  const greet = async (current: Attempt, version: number, nonce: Uint8Array): Promise<void> => {
    const certificate = await identity.certificate(current.abort.signal);
    const signature = await identity.sign(helloMessage(nonce, certificate));
    if (current.phase !== "authenticating") return;
    current.phase = "greeting";
    expect(current, "the coordinator's welcome");
    current.socket?.send(
      encodeDeviceMessage({ type: "hello", version, certificate, signature, software: options.software }),
    );
  };

  const scheduleHeartbeat = (current: Attempt): void => {
    current.heartbeat?.cancel();
    current.heartbeat = clock.schedule(current.heartbeatIntervalMs, () => {
      if (current.phase !== "connected") return;
      const silentMs = clock.monotonicMs() - current.heardAtMs;
      if (silentMs > current.heartbeatIntervalMs * SILENT_INTERVALS) {
        fail(
          current,
          new TributaryError(
            "protocol/idle-timeout",
            `connection to ${url} was silent for ${Math.round(silentMs)} ms`,
          ),
        );
        return;
      }
      current.nonce = (current.nonce + 1) >>> 0;
      current.socket?.send(encodeDeviceMessage({ type: "heartbeat", nonce: current.nonce }));
      scheduleHeartbeat(current);
    });
  };

  /** Ends the attempt and plans the next. A refusal that came before says more than the close that follows it. */
  const fail = (current: Attempt, ended: TributaryError): void => {
    if (current.phase === "ended") return;
    current.phase = "ended";
    current.deadline?.cancel();
    current.heartbeat?.cancel();
    const error = current.error ?? ended;
    current.abort.abort(error);
    current.socket?.close();
    if (attempt !== current) return;
    attempt = undefined;
    const { connectedAtMs } = current;
    if (connectedAtMs !== undefined && clock.monotonicMs() - connectedAtMs >= STABLE_SESSION_MS) {
      failures = 0;
    }
    const retryInMs = Math.max(backoffMs(failures, env.random), retryAfterMs(error) ?? 0);
    // What will be refused again is tried again all the same, but rarely: the operator may repair it.
    failures += error.retryable ? 1 : 4;
    const planNext = (): void => {
      if (state === "closed" || !started) return;
      retry = clock.schedule(retryInMs, connect);
      change({ state: "offline", retryInMs, error });
    };
    if (isIdentityRefusal(error)) {
      identity.discardCertificate().then(planNext, planNext);
    } else {
      planNext();
    }
  };

  return {
    get state() {
      return state;
    },
    get serverOffsetMs() {
      return serverOffsetMs;
    },
    start() {
      if (started) return;
      started = true;
      connect();
    },
    send(message) {
      const current = attempt;
      if (current?.phase !== "connected") return false;
      current.socket?.send(encodeDeviceMessage(message));
      return true;
    },
    nudge() {
      if (retry === undefined || state === "closed") return;
      retry.cancel();
      failures = 0;
      connect();
    },
    pause() {
      if (state === "closed" || !started) return;
      started = false;
      failures = 0;
      retry?.cancel();
      retry = undefined;
      const current = attempt;
      attempt = undefined;
      if (current !== undefined) fail(current, new TributaryError("core/closed", "the device was forgotten"));
      change({ state: "offline" });
    },
    close() {
      if (state === "closed") return;
      retry?.cancel();
      const current = attempt;
      attempt = undefined;
      state = "closed";
      if (current !== undefined) {
        fail(current, new TributaryError("core/closed", "the device was closed"));
      }
      onState({ state: "closed" });
    },
  };
}

/** The certificate is of no use any more; a new one may be. */
function isIdentityRefusal(error: TributaryError): boolean {
  return (
    error.code === "identity/invalid-certificate" ||
    error.code === "identity/certificate-expired" ||
    error.code === "identity/wrong-population"
  );
}

function unexpected(message: ServerMessage): TributaryError {
  return new TributaryError(
    "protocol/unexpected-message",
    `protocol: "${message.type}" is not expected in this phase of the handshake`,
    { detail: { type: message.type } },
  );
}
