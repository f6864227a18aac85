/** What a device with an enrolment token has beside its models: who it is, and the control connection. */
import { asModelName, asModelVersion, type DeviceId } from "@tributary/core";
import type { DeviceMessage, ServerMessage } from "@tributary/protocol";
import type { DeviceConfig, DevicePorts } from "./device.ts";
import type { RefusedVersion } from "./diagnosis.ts";
import type { DeviceEvents } from "./device-events.ts";
import { createIdentity, type Identity } from "./identity.ts";
import type { ConnectionState, ModelState } from "./runtime.ts";
import { createControlChannel } from "./transport/control-channel.ts";
import { createFederationHttp, type FederationHttp } from "./transport/federation-http.ts";
import type { Requests } from "./transport/requests.ts";
import type { OpenSocket } from "./transport/socket.ts";

export interface ConnectionOptions {
  readonly openSocket: OpenSocket;
  /** Its origin. */
  readonly coordinator: string;
  readonly config: DeviceConfig;
  readonly ports: DevicePorts & { readonly token: NonNullable<DevicePorts["token"]> };
  readonly requests: Requests;
  readonly events: DeviceEvents;
  /** Aborts when the device closes. */
  readonly closing: AbortSignal;
  readonly onMessage: (message: ServerMessage) => void;
  readonly onConnected: () => void;
  readonly onDisconnected: () => void;
}

export interface Connection {
  readonly identity: Identity;
  readonly http: FederationHttp;
  readonly state: ConnectionState;
  readonly serverOffsetMs: number;
  /** Nothing is queued: where there is no session, it is said again after "connected". */
  send(message: DeviceMessage): void;
  /** Asks for the releases of a model's channel, of which a version runs. */
  subscribe(state: ModelState): void;
  /** A version began to run. */
  running(state: ModelState, appliedAfterMs: number | null): void;
  /** A version did not take the place of the one that runs. */
  refused(model: string, refused: RefusedVersion): void;
  /** Idempotent. */
  start(): void;
  /** Ends it until it is started again. */
  pause(): void;
  /** Tries now, as when the network came back. */
  nudge(): void;
  close(): void;
}

export function createConnection(options: ConnectionOptions): Connection {
  const { config, ports, events } = options;
  const { env, store } = ports;
  const { coordinator } = options;
  const http = createFederationHttp({ coordinator, requests: options.requests, env });
  const identity = createIdentity({
    store: store.identity,
    extractableKeys: store.needsExtractableKeys,
    http,
    population: config.population,
    token: ports.token,
    env,
    closing: options.closing,
    onEnrolled: (deviceId: DeviceId, expiresAtMs: number) =>
      events.emit({ type: "enrolled", deviceId, expiresAtMs }),
  });
  const channel = createControlChannel({
    coordinator,
    openSocket: options.openSocket,
    identity,
    software: config.software,
    env,
    onMessage: options.onMessage,
    onState({ state, retryInMs, error }) {
      events.emit({
        type: "connection",
        state,
        ...(retryInMs === undefined ? {} : { retryInMs }),
        ...(error === undefined ? {} : { code: error.code }),
      });
      if (state === "connected") options.onConnected();
      if (state !== "offline") return;
      // That the network is away is no problem; why nobody admits this device is one.
      if (error !== undefined && (!error.retryable || error.code.startsWith("identity/"))) {
        events.problem(error);
      }
      options.onDisconnected();
    },
  });
  return {
    identity,
    http,
    get state() {
      return channel.state;
    },
    get serverOffsetMs() {
      return channel.serverOffsetMs;
    },
    send: (message) => void channel.send(message),
    subscribe: ({ model, channel: name, version }) =>
      void channel.send({
        type: "subscribe",
        model: asModelName(model),
        channel: name,
        runningVersion: asModelVersion(version),
      }),
    running: ({ model, version }, appliedAfterMs) =>
      void channel.send({
        type: "running",
        model: asModelName(model),
        version: asModelVersion(version),
        appliedAfterMs: appliedAfterMs ?? 0,
      }),
    refused: (model, { version, code }) =>
      void channel.send({
        type: "refused-version",
        model: asModelName(model),
        version: asModelVersion(version),
        code,
      }),
    start: () => channel.start(),
    pause: () => channel.pause(),
    nudge: () => channel.nudge(),
    close: () => channel.close(),
  };
}
