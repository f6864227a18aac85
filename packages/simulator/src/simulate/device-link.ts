import { TributaryError, type DeviceId } from "@tributary/core";
import type { Clients, ClientTraits } from "../fleet-model/clients.ts";
import type { SimulationClock } from "./clock.ts";

export interface DeviceLinkOptions {
  readonly id: DeviceId;
  readonly client: number;
  readonly clock: SimulationClock;
  readonly clients: Clients;
  readonly connected: () => void;
  readonly disconnected: () => void;
  /** For good: the page was closed, the battery is empty. */
  readonly vanished: (wasConnected: boolean) => void;
  /** Bytes went over it. */
  readonly counted: (direction: "up" | "down", bytes: number) => void;
}

/** What became of a transfer. */
export interface TransferEnd {
  arrived(): void | Promise<void>;
  failed(error: { readonly code: string; readonly retryable: boolean }): void;
}

/** A device's connection and its time: when it is there, how long things take, and how much of it is left. */
export class DeviceLink {
  readonly #options: DeviceLinkOptions;
  readonly #traits: ClientTraits;
  /** Frames of an older connection are lost with it. */
  #connection = 0;
  #connected = false;
  #gone = false;
  /** Milliseconds of work until it vanishes. */
  #leftMs = Infinity;

  constructor(options: DeviceLinkOptions) {
    this.#options = options;
    this.#traits = options.clients.traitsOf(options.client);
  }

  /** It does nothing any more. */
  get gone(): boolean {
    return this.#gone;
  }

  get traits(): ClientTraits {
    return this.#traits;
  }

  connect(): void {
    if (this.#gone) return;
    const { clients, clock, client, connected } = this.#options;
    const { online, untilMs } = clients.reachability(client, clock.now());
    const inMs = untilMs - clock.now();
    if (!online) return void clock.schedule(inMs, () => this.connect());
    this.#connection += 1;
    this.#connected = true;
    if (inMs < Infinity) clock.schedule(inMs, () => this.#disconnect());
    connected();
  }

  stop(): void {
    this.#gone = true;
  }

  /** It will vanish when it has worked for so long. */
  doom(afterMs: number): void {
    this.#leftMs = afterMs;
  }

  /** Whether it lives to see the end of work that takes so long. */
  outlives(durationMs: number): boolean {
    return durationMs <= this.#leftMs;
  }

  /** A frame on its way; lost where the connection breaks meanwhile. */
  travel(arrive: () => void | Promise<void>): void {
    if (!this.#connected) return;
    const connection = this.#connection;
    this.#options.clock.schedule(this.#traits.latencyMs, () =>
      connection === this.#connection && !this.#gone ? arrive() : undefined,
    );
  }

  /** Something that keeps the device busy for a while; it may not live to see the end. */
  work(durationMs: number, done: () => void | Promise<void>): void {
    const { clock } = this.#options;
    if (!this.outlives(durationMs)) return void clock.schedule(this.#leftMs, () => this.#vanish());
    this.#leftMs -= durationMs;
    clock.schedule(durationMs, () => (this.#gone ? undefined : done()));
  }

  /** Bytes over this device's link; a connection that breaks meanwhile takes them with it. */
  transfer(direction: "up" | "down", bytes: number, end: TransferEnd): void {
    const connection = this.#connection;
    const rate = direction === "up" ? this.#traits.uplink : this.#traits.downlink;
    this.work(this.#traits.latencyMs + bytes / rate, async () => {
      if (connection !== this.#connection || !this.#connected) {
        return end.failed({ code: "transport/upload-failed", retryable: true });
      }
      this.#options.counted(direction, bytes);
      try {
        await end.arrived();
      } catch (error) {
        if (!TributaryError.is(error)) throw error;
        end.failed(error);
      }
    });
  }

  #disconnect(): void {
    if (this.#gone) return;
    this.#connection += 1;
    this.#connected = false;
    this.#options.disconnected();
    this.connect();
  }

  #vanish(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#options.vanished(this.#connected);
  }
}
