import { failure } from "@tributary/core";

/**
 * How a simulated population behaves. Log-normal quantities are given by their median and by sigma, the standard
 * deviation of their logarithm: two thirds of the devices are within a factor of e^sigma of the median.
 */
export interface FleetModel {
  /** Share of devices with an offer that vanish for good somewhere between the offer and the end of their report, 0 to 1. */
  readonly dropout: number;
  /** Of one local step (one batch), in milliseconds. */
  readonly stepMs: number;
  /** How much devices differ in speed. */
  readonly stepSigma: number;
  /** In megabits a second. */
  readonly downlinkMbps: number;
  readonly uplinkMbps: number;
  /** How much devices differ in bandwidth and latency. */
  readonly networkSigma: number;
  /** One way. */
  readonly latencyMs: number;
  /** Mean time that a device stays reachable, in minutes; null: always. With it and the next, a two-state Markov chain. */
  readonly onlineMinutes: number | null;
  /** Mean time that it then stays away. */
  readonly offlineMinutes: number;
  /** How many times more often a device comes online at the best hour of its day than at the worst, 1 or more. */
  readonly daySwing: number;
  /** Share of devices that are headless; the others are browsers. */
  readonly nodeShare: number;
  /** Of the browsers: WebGPU, beside WASM. */
  readonly webgpuShare: number;
  /** Median memory, log-normal, in megabytes. */
  readonly memoryMb: number;
  readonly memorySigma: number;
  /** Share of devices with a battery. */
  readonly batteryShare: number;
  /** Share of the hours in which one is being charged. */
  readonly chargingShare: number;
  /** Share of the hours in which a device is on an unmetered network. */
  readonly unmeteredShare: number;
  /** Share of devices whose platform tells neither memory nor battery nor network. */
  readonly untoldShare: number;
}

export const FLEET_DEFAULTS = Object.freeze({
  dropout: 0,
  stepMs: 20,
  stepSigma: 0.5,
  downlinkMbps: 20,
  uplinkMbps: 5,
  networkSigma: 0.6,
  latencyMs: 60,
  onlineMinutes: null,
  offlineMinutes: 120,
  daySwing: 1,
  nodeShare: 0,
  webgpuShare: 0.6,
  memoryMb: 4096,
  memorySigma: 0.7,
  batteryShare: 0.7,
  chargingShare: 0.35,
  unmeteredShare: 0.75,
  untoldShare: 0.3,
}) satisfies FleetModel;

/** Lowest and highest value of each. */
export const FLEET_RANGES = Object.freeze({
  dropout: [0, 0.95],
  stepMs: [0, 3_600_000],
  stepSigma: [0, 3],
  downlinkMbps: [0.001, 100_000],
  uplinkMbps: [0.001, 100_000],
  networkSigma: [0, 3],
  latencyMs: [0, 60_000],
  onlineMinutes: [0.1, 100_000],
  offlineMinutes: [0.1, 100_000],
  daySwing: [1, 100],
  nodeShare: [0, 1],
  webgpuShare: [0, 1],
  memoryMb: [1, 1_048_576],
  memorySigma: [0, 3],
  batteryShare: [0, 1],
  chargingShare: [0, 1],
  unmeteredShare: [0, 1],
  untoldShare: [0, 1],
}) satisfies Readonly<Record<keyof FleetModel, readonly [number, number]>>;

/** @throws `simulator/invalid-options` naming the parameter and its range */
export function fleetModel(given: Partial<FleetModel>): FleetModel {
  const model: FleetModel = { ...FLEET_DEFAULTS, ...given };
  for (const [name, [low, high]] of Object.entries(FLEET_RANGES)) {
    const value = model[name as keyof FleetModel];
    if (value === null && name === "onlineMinutes") continue;
    if (value !== null && value >= low && value <= high) continue;
    throw failure(
      "simulator/invalid-options",
      `simulate: ${name} must be from ${low} to ${high}, got ${value}`,
      { detail: { option: name, got: value } },
    );
  }
  return model;
}
