import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { encodeHex, failure, toFailure, type DeviceId, type TributaryError } from "@tributary/core";
import {
  decodeDeviceMessage,
  LIMITS,
  SUBPROTOCOL,
  SUPPORTED_VERSIONS,
  type DeviceMessage,
  type Hello,
  type Release,
  type Subscribe,
} from "@tributary/protocol";
import { WebSocketServer, type WebSocket } from "ws";
import type { AccessHeaders } from "../http/access-policy.ts";
import { answerRefused, isLoopback, refuseUpgrade } from "./admission.ts";
import {
  DEFAULT_GATEWAY_LIMITS,
  type ConnectedDevice,
  type DeviceGateway,
  type GatewayLimits,
  type GatewayOptions,
} from "./gateway-types.ts";
import { ConnectionTrace } from "./connection-trace.ts";
import { checkHello } from "./greeting.ts";
import { CLOSE_GRACE_MS, Session, silence } from "./session.ts";
import { Subscriptions } from "./subscriptions.ts";
import { TokenBucket } from "./token-bucket.ts";

/** How often silent connections are looked for. */
const SWEEP_MS = 500;
/** Counts are published at most this often. */
const COUNTS_MS = 250;
/** How long a device that is disconnected has to answer. */
const DISCONNECT_GRACE_MS = 250;
/** When a refused connection may come again. */
const RETRY_AFTER_MS = 2_000;

/**
 * Devices over WebSocket: who they are, one session each, and nothing that one of them does may be felt by another.
 * Answers hello, subscribe and heartbeat; hands everything about rounds to the handler.
 */
export function createGateway(options: GatewayOptions): DeviceGateway {
  return new WebSocketGateway(options);
}

class WebSocketGateway implements DeviceGateway {
  readonly #options: GatewayOptions;
  readonly #limits: GatewayLimits;
  readonly #server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    // Above the protocol's cap, so that a frame a little too large gets its code and not just a close.
    maxPayload: 2 * LIMITS.maxFrameBytes,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  readonly #sessions = new Set<Session>();
  /** Those that have not said a valid hello, oldest first. */
  readonly #ungreeted = new Set<Session>();
  readonly #byDevice = new Map<DeviceId, Session>();
  readonly #byAddress = new Map<string, number>();
  readonly #subscriptions = new Subscriptions();
  readonly #releases: { close(): void };
  #sweep: { cancel(): void };
  #countsTimer: { cancel(): void } | undefined;
  /** Sessions whose hello is being checked. */
  #checking = 0;
  /** Devices that were disconnected while hellos were checked: theirs may have been read as good just before. */
  readonly #ended = new Map<DeviceId, TributaryError>();
  #closing: Promise<void> | undefined;
  #allGone: (() => void) | undefined;
  #nextId = 1;

  constructor(options: GatewayOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_GATEWAY_LIMITS, ...options.limits };
    const { bus, env } = options;
    this.#releases = bus.subscribe("release", ({ model, channel, version, timestampVersion }) => {
      this.#broadcast({ model, channel, version, timestampVersion });
    });
    this.#sweep = env.clock.schedule(SWEEP_MS, () => this.#sweepSilent());
  }

  attach(server: Parameters<DeviceGateway["attach"]>[0]): void {
    server.on("upgrade", (request, socket, head) => this.handleUpgrade(request, socket, head));
  }

  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    socket.on("error", () => socket.destroy());
    const address = this.#options.addressOf?.(request) ?? request.socket.remoteAddress ?? "";
    const refused = refuseUpgrade(request, this.#options.access);
    if (refused !== undefined) return answerRefused(socket, refused);
    const full = this.#noRoomFor(address);
    if (full !== undefined) return answerRefused(socket, full, { retryAfterMs: RETRY_AFTER_MS });
    // ws answers a malformed handshake with 400 by itself.
    this.#server.handleUpgrade(request, socket, Buffer.from(head), (webSocket) => {
      this.#open(webSocket, address, request.headers);
    });
  }

  send(device: DeviceId, message: Parameters<DeviceGateway["send"]>[1]): boolean {
    return this.#byDevice.get(device)?.send(message) ?? false;
  }

  isConnected(device: DeviceId): boolean {
    return this.#byDevice.has(device);
  }

  connectionOf(device: DeviceId): ReturnType<DeviceGateway["connectionOf"]> {
    return this.#byDevice.get(device)?.connection.spanContext;
  }

  connected(): readonly DeviceId[] {
    return [...this.#byDevice.keys()];
  }

  disconnect(device: DeviceId, reason: TributaryError): void {
    if (this.#checking > 0) this.#ended.set(device, reason);
    const session = this.#byDevice.get(device);
    if (session === undefined) return;
    const { clock } = this.#options.env;
    this.#leave(session);
    session.refuse(reason, clock.monotonicMs());
    // One that does not answer the close is cut.
    clock.schedule(DISCONNECT_GRACE_MS, () => session.terminate());
  }

  counts(): { connected: number; training: number } {
    return { connected: this.#byDevice.size, training: this.#options.training?.() ?? 0 };
  }

  countsChanged(): void {
    this.#countsTimer ??= this.#options.env.clock.schedule(COUNTS_MS, () => {
      this.#countsTimer = undefined;
      this.#publish();
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #noRoomFor(address: string): TributaryError | undefined {
    if (this.#closing !== undefined) return shuttingDown();
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    const fromAddress = this.#byAddress.get(address) ?? 0;
    const perAddress = isLoopback(address) ? maxConnections : maxConnectionsPerAddress;
    if (this.#sessions.size < maxConnections && fromAddress < perAddress) return undefined;
    return failure(
      "protocol/too-many-connections",
      `gateway: ${this.#sessions.size} connections, ${fromAddress} from ${address}; at most ${maxConnections} and ${perAddress}`,
      { detail: { retryAfterMs: RETRY_AFTER_MS } },
    );
  }

  #open(socket: WebSocket, address: string, headers: AccessHeaders): void {
    const { clock, random, log } = this.#options.env;
    const { messageBurst, messagesPerSecond, maxBufferedBytes, maxUngreeted } = this.#limits;
    const nowMs = clock.monotonicMs();
    const nonce = random.bytes(32);
    const session = new Session({
      socket,
      connection: new ConnectionTrace(this.#options.tracer),
      id: `${this.#nextId++}-${encodeHex(random.bytes(4))}`,
      address,
      headers,
      nonce,
      bucket: new TokenBucket(messageBurst, messagesPerSecond, nowMs),
      maxBufferedBytes,
      nowMs,
    });
    this.#sessions.add(session);
    this.#ungreeted.add(session);
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1);
    socket.on("message", (data, isBinary) => this.#receive(session, data as Buffer, isBinary));
    // Frames that break the WebSocket protocol or are far too large: ws has closed already.
    socket.on("error", (error) => log.info("gateway: broken frame", { session: session.id, error }));
    socket.on("close", () => this.#gone(session));
    session.send({
      type: "challenge",
      nonce,
      ...SUPPORTED_VERSIONS,
      serverTimeMs: this.#options.steadyNow(),
    });

    if (this.#ungreeted.size > maxUngreeted) {
      // The newest may be a device; the one that has been silent the longest most likely is not.
      const [oldest] = this.#ungreeted;
      oldest?.refuse(
        failure(
          "protocol/too-many-connections",
          `gateway: more than ${maxUngreeted} connections without hello`,
        ),
        nowMs,
        { retryAfterMs: RETRY_AFTER_MS },
      );
      if (oldest !== undefined) this.#ungreeted.delete(oldest);
    }
  }

  #receive(session: Session, data: Uint8Array, isBinary: boolean): void {
    if (session.phase === "closing") return;
    const nowMs = this.#options.env.clock.monotonicMs();
    session.heardAtMs = nowMs;
    try {
      const waitMs = session.bucket.take(nowMs);
      if (waitMs > 0) {
        throw failure("protocol/too-many-messages", `gateway: ${session.id} sends too many messages`, {
          detail: { retryAfterMs: waitMs },
        });
      }
      if (!isBinary) throw failure("protocol/text-frame", `gateway: ${session.id} sent text`);
      this.#handle(session, decodeDeviceMessage(data), nowMs);
    } catch (error) {
      this.#refuse(session, toFailure(error));
    }
  }

  #handle(session: Session, message: DeviceMessage, nowMs: number): void {
    if (message.type === "hello") {
      if (session.phase !== "greeting") throw unexpected(message.type);
      session.phase = "checking";
      this.#greet(session, message).catch((error: unknown) => this.#refuse(session, toFailure(error)));
      return;
    }
    const { device } = session;
    if (session.phase !== "open" || device === undefined) throw unexpected(message.type);
    const { handler } = this.#options;
    switch (message.type) {
      case "heartbeat":
        session.send({ type: "heartbeat-ack", nonce: message.nonce });
        return;
      case "subscribe":
        this.#subscriptions.add(message.model, message.channel, session);
        handler.subscribed?.(device, message);
        this.#catchUp(session, message).catch((error: unknown) => this.#refuse(session, toFailure(error)));
        return;
      case "running": {
        const { model, version, appliedAfterMs } = message;
        this.#options.env.log.debug("gateway: device runs version", {
          ...device,
          model,
          version,
          appliedAfterMs,
        });
        handler.running?.(device, message);
        return;
      }
      case "refused-version":
        handler.refusedVersion?.(device, message);
        return;
      case "check-in":
      case "ineligible":
      case "leave":
      case "ready":
      case "secure-ready":
      case "decline":
        handler.message(device, message);
        return;
      default: {
        const never: never = message;
        throw new TypeError(`gateway: no such message at ${nowMs}: ${String(never)}`);
      }
    }
  }

  async #greet(session: Session, hello: Hello): Promise<void> {
    const { clock } = this.#options.env;
    this.#checking += 1;
    try {
      this.#welcome(session, hello, await checkHello({ ...this.#options, clock }, session.nonce, hello));
    } finally {
      this.#checking -= 1;
      if (this.#checking === 0) this.#ended.clear();
    }
  }

  /** From here on it is the device's session. */
  #welcome(session: Session, hello: Hello, device: ConnectedDevice): void {
    const { env, access } = this.#options;
    const ended = this.#ended.get(device.device);
    if (ended !== undefined) throw ended;
    if (!access.deviceAllowed(session.headers, device.population)) {
      throw failure(
        "http/origin-refused",
        `gateway: origin ${session.headers.origin} is not allowed for population ${device.population}`,
      );
    }
    if (session.phase !== "checking") return;
    const older = this.#byDevice.get(device.device);
    if (older !== undefined) {
      // First the end of the old session, then the new one: the rounds never see two of a device.
      this.#leave(older);
      older.refuse(
        failure("protocol/replaced", `gateway: ${session.id} replaces ${older.id} of ${device.device}`),
        env.clock.monotonicMs(),
      );
    }
    session.device = device;
    session.phase = "open";
    session.connection.opened(device.device, session.id);
    this.#ungreeted.delete(session);
    this.#byDevice.set(device.device, session);
    session.send({
      type: "welcome",
      version: hello.version,
      deviceId: device.device,
      heartbeatIntervalMs: this.#limits.heartbeatIntervalMs,
      sessionId: session.id,
    });
    env.log.debug("gateway: device connected", { ...device, session: session.id, software: hello.software });
    this.#options.handler.connected?.(device, hello);
    this.countsChanged();
  }

  /** A device that runs another version than its channel points to, or none, hears of it at once. */
  async #catchUp(session: Session, { model, channel, runningVersion }: Subscribe): Promise<void> {
    const { store } = this.#options;
    const head = await store.channels.get(model, channel);
    const timestamp = await store.releases.latest("timestamp");
    if (timestamp === undefined || head === undefined || head.version === runningVersion) return;
    session.send({
      type: "release",
      model,
      channel,
      version: head.version,
      timestampVersion: timestamp.version,
    });
  }

  #broadcast(release: Release): void {
    const { log } = this.#options.env;
    this.#subscriptions
      .broadcast(release)
      .catch((error: unknown) => log.error("gateway: broadcast failed", { error }));
  }

  #refuse(session: Session, error: TributaryError): void {
    const { clock, log } = this.#options.env;
    log.info("gateway: connection refused", { session: session.id, ...session.device, error });
    const retryAfterMs = error.detail["retryAfterMs"];
    session.refuse(
      error,
      clock.monotonicMs(),
      typeof retryAfterMs === "number"
        ? { retryAfterMs }
        : error.retryable
          ? { retryAfterMs: RETRY_AFTER_MS }
          : {},
    );
    this.#leave(session);
  }

  /** The session counts no more, even if its socket takes a while to close. */
  #leave(session: Session): void {
    this.#ungreeted.delete(session);
    this.#subscriptions.remove(session);
    const { device } = session;
    session.device = undefined;
    if (device === undefined || this.#byDevice.get(device.device) !== session) return;
    this.#byDevice.delete(device.device);
    this.#disconnected(device);
  }

  #disconnected(device: ConnectedDevice): void {
    this.#options.handler.disconnected(device);
    this.countsChanged();
  }

  #gone(session: Session): void {
    if (!this.#sessions.delete(session)) return;
    const left = (this.#byAddress.get(session.address) ?? 1) - 1;
    if (left > 0) this.#byAddress.set(session.address, left);
    else this.#byAddress.delete(session.address);
    session.phase = "closing";
    session.connection.gone();
    this.#leave(session);
    if (this.#sessions.size === 0) this.#allGone?.();
  }

  #sweepSilent(): void {
    const { clock } = this.#options.env;
    const { helloTimeoutMs, idleTimeoutMs } = this.#limits;
    const nowMs = clock.monotonicMs();
    for (const session of this.#sessions) {
      if (session.phase === "closing") {
        if (nowMs - (session.closingSinceMs ?? 0) >= CLOSE_GRACE_MS) session.terminate();
      } else if (session.phase === "open") {
        if (nowMs - session.heardAtMs >= idleTimeoutMs) this.#refuse(session, silence(session, nowMs));
      } else if (nowMs - session.openedAtMs >= helloTimeoutMs) {
        this.#refuse(session, silence(session, nowMs));
      }
    }
    this.#sweep = clock.schedule(SWEEP_MS, () => this.#sweepSilent());
  }

  #publish(): void {
    const { bus, env } = this.#options;
    bus
      .publish("devices", this.counts())
      .catch((error: unknown) => env.log.error("gateway: counts", { error }));
  }

  async #close(): Promise<void> {
    const { clock } = this.#options.env;
    this.#releases.close();
    this.#sweep.cancel();
    for (const session of this.#sessions) this.#refuse(session, shuttingDown());
    // Not before: each that leaves changes the counts.
    this.#countsTimer?.cancel();
    if (this.#sessions.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#allGone = resolve;
      const timer = clock.schedule(CLOSE_GRACE_MS / 2, () => {
        for (const session of this.#sessions) session.terminate();
      });
      await promise;
      timer.cancel();
    }
    this.#server.close();
  }
}

function unexpected(type: string): TributaryError {
  return failure("protocol/unexpected-message", `gateway: "${type}" is not expected in this phase`, {
    detail: { type },
  });
}

function shuttingDown(): TributaryError {
  return failure("protocol/shutting-down", "gateway: the coordinator is shutting down");
}
