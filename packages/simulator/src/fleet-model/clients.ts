import {
  asDeviceId,
  encodeUtf8,
  seededRandom,
  sha256,
  type DeviceId,
  type SeededRandom,
} from "@tributary/core";
import { reachabilityAt, type Reachability } from "./availability.ts";
import { conditionsAt, type ConditionsAt, type DeviceLabels } from "./conditions.ts";
import type { FleetModel } from "./fleet-model.ts";

/** What is particular about one client; the same for as long as the simulation lasts. */
export interface ClientTraits {
  /** Milliseconds of one local step. */
  readonly stepMs: number;
  /** Bytes a millisecond. */
  readonly downlink: number;
  readonly uplink: number;
  /** One way, in milliseconds. */
  readonly latencyMs: number;
}

/** A population that takes no memory: each client follows from the seed and its number. */
export interface Clients {
  readonly seed: string;
  /** The name of a client where names are not bound to keys. */
  deviceOf(client: number): DeviceId;
  traitsOf(client: number): ClientTraits;
  reachability(client: number, nowMs: number): Reachability;
  /** What it knows of itself. */
  conditions(client: number, nowMs: number): ConditionsAt;
  /** A client's own stream for what happens to it, by what that is. */
  randomOf(client: number, what: string): SeededRandom;
}

const BYTES_PER_MS_OF_MBPS = 125;

export function createClients(
  seed: string,
  model: FleetModel,
  labels: DeviceLabels = { languages: {}, tags: {} },
): Clients {
  const root = seededRandom(seed).fork("simulator/clients");
  const randomOf = (client: number, what: string) => root.fork(`${client}/${what}`);
  return {
    seed,
    randomOf,
    deviceOf: (client) =>
      asDeviceId(sha256(encodeUtf8(`tributary-simulated-client-v1:${seed}:${client}`)).slice(0, 32)),
    traitsOf(client) {
      const random = randomOf(client, "traits");
      const logNormal = (median: number, sigma: number) => median * Math.exp(sigma * random.normal());
      return {
        stepMs: logNormal(model.stepMs, model.stepSigma),
        downlink: BYTES_PER_MS_OF_MBPS * logNormal(model.downlinkMbps, model.networkSigma),
        uplink: BYTES_PER_MS_OF_MBPS * logNormal(model.uplinkMbps, model.networkSigma),
        latencyMs: logNormal(model.latencyMs, model.networkSigma),
      };
    },
    conditions: (client, nowMs) => conditionsAt(model, labels, (what) => randomOf(client, what), nowMs),
    reachability(client, nowMs) {
      if (model.onlineMinutes === null) return { online: true, untilMs: Infinity };
      const timeZoneHours = randomOf(client, "time zone").next() * 24;
      const randomOfDay = (day: number) => randomOf(client, `day ${day}`);
      return reachabilityAt(model, { timeZoneHours, randomOfDay }, nowMs);
    },
  };
}
