import type { IncomingMessage, Server } from "node:http";
import type { SpanContext, Tracer } from "@opentelemetry/api";
import type { Duplex } from "node:stream";
import type { DeviceId, Env, PopulationName, TributaryError } from "@tributary/core";
import {
  LIMITS,
  type DeviceMessage,
  type Hello,
  type ServerMessage,
  type Subscribe,
} from "@tributary/protocol";
import type { AccessPolicy } from "../http/access-policy.ts";
import type { Bus } from "../ports/bus.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { Gateway } from "../rooms.ts";
import type { SteadyNow } from "../steady-time.ts";

/** What devices say about tasks and rounds; the gateway answers everything else itself. */
export type RoundMessage = Extract<
  DeviceMessage,
  { type: "check-in" | "ineligible" | "leave" | "ready" | "secure-ready" | "decline" }
>;
export type RefusedVersionMessage = Extract<DeviceMessage, { type: "refused-version" }>;
export type RunningMessage = Extract<DeviceMessage, { type: "running" }>;

/** Who is at the other end of a session. */
export interface ConnectedDevice {
  readonly device: DeviceId;
  readonly population: PopulationName;
}

/** Told in order: connected, any messages, disconnected. A device is connected at most once at a time. */
export interface GatewayHandler {
  message(from: ConnectedDevice, message: RoundMessage): void;
  disconnected(from: ConnectedDevice): void;
  connected?(from: ConnectedDevice, hello: Pick<Hello, "software">): void;
  /** It wants to hear of releases, and may tell which version it runs. */
  subscribed?(from: ConnectedDevice, message: Subscribe): void;
  running?(from: ConnectedDevice, message: RunningMessage): void;
  refusedVersion?(from: ConnectedDevice, message: RefusedVersionMessage): void;
}

/** Bounds of one gateway; the defaults are the protocol's. */
export interface GatewayLimits {
  readonly helloTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
  readonly idleTimeoutMs: number;
  readonly maxConnections: number;
  /** Connections that have not said a valid hello; one more pushes out the oldest. */
  readonly maxUngreeted: number;
  /** Does not hold for loopback: a proxy, or a fleet on this machine, comes from one address. */
  readonly maxConnectionsPerAddress: number;
  readonly messageBurst: number;
  readonly messagesPerSecond: number;
  readonly maxBufferedBytes: number;
}

const {
  helloTimeoutMs,
  heartbeatIntervalMs,
  idleTimeoutMs,
  maxConnections,
  maxUngreeted,
  maxConnectionsPerAddress,
  messageBurst,
  messagesPerSecond,
  maxBufferedBytes,
} = LIMITS;

export const DEFAULT_GATEWAY_LIMITS: GatewayLimits = Object.freeze({
  helloTimeoutMs,
  heartbeatIntervalMs,
  idleTimeoutMs,
  maxConnections,
  maxUngreeted,
  maxConnectionsPerAddress,
  messageBurst,
  messagesPerSecond,
  maxBufferedBytes,
});

export interface GatewayOptions {
  readonly env: Env;
  /** What deadlines are set by: devices learn from it how far their clock is off. */
  readonly steadyNow: SteadyNow;
  readonly access: Pick<AccessPolicy, "hostAllowed" | "deviceAllowed">;
  /** Raw Ed25519 public key (32 bytes) of the issuer of device certificates. */
  readonly issuerPublicKey: Uint8Array;
  readonly store: Pick<MetadataStore, "certificateLog" | "devices" | "channels" | "releases">;
  readonly bus: Pick<Bus, "publish" | "subscribe">;
  readonly handler: GatewayHandler;
  /** Devices with an open offer, for the counts; see `countsChanged`. @defaultValue 0 */
  readonly training?: () => number;
  readonly limits?: Partial<GatewayLimits>;
  /** What makes the spans of connections. */
  readonly tracer?: Tracer;
  /** Who is at the other end, behind proxies. @defaultValue the socket's address */
  readonly addressOf?: (request: IncomingMessage) => string;
}

/** The gateway, with what the rounds use of it. */
export interface DeviceGateway extends Gateway {
  /** Takes over one upgrade request; whatever is wrong with it is answered here. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void;
  attach(server: Server): void;
  /** False when the device is not connected, or its connection was given up because it does not read. */
  send(device: DeviceId, message: ServerMessage): boolean;
  /** The span that a device connected in. */
  connectionOf(device: DeviceId): SpanContext | undefined;
  /** Devices with a session. */
  connected(): readonly DeviceId[];
  /**
   * Ends a device's session, and one that it is about to open, as when it is not enrolled any more: a quarter of a second later there is none,
   * whatever the device does.
   */
  disconnect(device: DeviceId, reason: TributaryError): void;
  /** The number of devices in training changed; published with the others, a few times a second at most. */
  countsChanged(): void;
}
