import type { DeviceId } from "@tributary/core";
import { ineligibleReason, type RoundConfig } from "@tributary/federation";
import {
  encodeServerMessage,
  isHeldOut,
  type IneligibleReason,
  type ServerMessage,
} from "@tributary/protocol";
import type { Attendance } from "./attendance.ts";
import type { Identities } from "./identities.ts";
import { Recruiter } from "./recruiter.ts";
import { SimulatedDevice, type DeviceSurroundings, type ServerPort } from "./simulated-device.ts";

export interface RoundCrewOptions {
  readonly server: ServerPort;
  readonly config: RoundConfig;
  readonly around: Omit<DeviceSurroundings, "server">;
  readonly identities: Identities;
  readonly attendance: Attendance;
  /** Whether its members need keys. */
  readonly secure: boolean;
  /** Places that nobody has, whoever is on the way. */
  readonly places: () => number;
}

/** Outcomes are on their way for less. */
const OUTCOME_MS = 60_000;

/** The devices that meet one round: who is asked to come, and who may. */
export class RoundCrew {
  /** Devices that the task does not ask, by the rule they do not meet. */
  readonly ineligible: { [Reason in IneligibleReason]?: number } = {};
  readonly #options: RoundCrewOptions;
  readonly #devices = new Map<DeviceId, SimulatedDevice>();
  /** On their way; they have not checked in. */
  readonly #arriving = new Set<DeviceId>();
  readonly #recruiter: Recruiter;
  #recruits = true;

  constructor(options: RoundCrewOptions) {
    this.#options = options;
    this.#recruiter = new Recruiter({
      ...options.around,
      config: options.config,
      wanted: () => (this.#recruits ? options.places() - this.#arriving.size : 0),
      willing: (client) => this.#willing(client),
      come: (client) => this.#come(client),
    });
  }

  /** Fills free places now. */
  recruit(): Promise<void> {
    return this.#recruiter.recruit();
  }

  /** Where places are free, others are asked to come. */
  look(): void {
    this.#recruiter.look();
  }

  /** Nobody else comes. */
  close(): void {
    this.#recruits = false;
  }

  /** Takes devices over from another round. @returns how many examples each has */
  adopt(from: RoundCrew, ids: readonly DeviceId[]): readonly (readonly [DeviceId, number])[] {
    const { around, server } = this.#options;
    return ids.flatMap((id) => {
      const device = from.#devices.get(id);
      if (device === undefined) return [];
      from.#devices.delete(id);
      this.#devices.set(id, device);
      device.join(server);
      return [[id, around.data.countOf(device.client)] as const];
    });
  }

  send(device: DeviceId, message: ServerMessage): void {
    this.#devices.get(device)?.deliver(encodeServerMessage(message));
  }

  /** It has checked in, or will not. */
  arrived(device: DeviceId): void {
    this.#arriving.delete(device);
  }

  /** It has begun to work. */
  began(device: DeviceId): void {
    const client = this.#devices.get(device)?.client;
    if (client !== undefined) this.#options.attendance.began(client, this.#options.config.baseVersion);
  }

  /** It will not come back. */
  vanished(device: DeviceId): void {
    const client = this.#devices.get(device)?.client;
    if (client !== undefined) this.#options.attendance.left(client);
    this.#devices.delete(device);
  }

  countIneligible(reason: IneligibleReason): void {
    this.ineligible[reason] = (this.ineligible[reason] ?? 0) + 1;
  }

  /** The round is over: its devices are free, and go once they have heard how it ended. */
  dismiss(): void {
    const { attendance, around } = this.#options;
    for (const { client } of this.#devices.values()) attendance.left(client);
    around.clock.schedule(OUTCOME_MS, () => {
      for (const device of this.#devices.values()) device.stop();
    });
  }

  /** What a device would say first is known before its keys are made. */
  #willing(client: number): boolean {
    const { around, attendance, config } = this.#options;
    const { clients, clock, task } = around;
    const { eligibility } = task.rules.plan;
    if (!attendance.mayCome(client, config.baseVersion)) return false;
    if (eligibility === undefined) return true;
    const reason = ineligibleReason(eligibility, clients.conditions(client, clock.now()).conditions);
    if (reason !== null) this.countIneligible(reason);
    return reason === null;
  }

  async #come(client: number): Promise<void> {
    const { around, identities, attendance, config, server, secure } = this.#options;
    const { clock, task } = around;
    const identity = secure
      ? { identity: await identities.of(client, task.rules.plan.population, clock.now()) }
      : {};
    const id = identity.identity?.device ?? around.clients.deviceOf(client);
    // With a gate, held-out devices measure and the others train.
    const { gate, name } = task.spec;
    if (gate !== null && isHeldOut(id, name, gate.heldOutShare) !== (server.work.type === "measure")) return;
    attendance.came(client);
    const device = new SimulatedDevice({ ...around, server }, { client, round: config.roundId, ...identity });
    this.#devices.set(device.id, device);
    this.#arriving.add(device.id);
    device.start();
  }
}
