import { FLEET_DEFAULTS, FLEET_RANGES, type FleetModel } from "@tributary/simulator";
import { InvalidArgumentError, Option, type Command } from "commander";

/** How devices behave, as options: one for each parameter of the model, with its range. */
export type FleetOptions = { readonly [Name in keyof FleetModel]?: number };

const DESCRIPTIONS: Readonly<Record<keyof FleetModel, string>> = {
  dropout: "share of devices with an offer that vanish before their update is in",
  stepMs: "median milliseconds of one local step; speeds are log-normal",
  stepSigma: "how much speeds differ: two thirds of the devices are within a factor of e^sigma",
  downlinkMbps: "median megabits a second down, log-normal",
  uplinkMbps: "median megabits a second up, log-normal",
  networkSigma: "how much bandwidths and latencies differ",
  latencyMs: "median milliseconds one way, log-normal",
  onlineMinutes: "mean time a device stays reachable; left out: always (a two-state Markov chain)",
  offlineMinutes: "mean time it then stays away",
  daySwing: "how many times more often devices come online at the best hour of their day than at the worst",
  nodeShare: "share of devices that are headless (ort-node); the others are browsers",
  webgpuShare: "of the browsers, share with WebGPU beside WASM",
  memoryMb: "median memory in megabytes, log-normal; browsers tell a power of two",
  memorySigma: "how much memories differ",
  batteryShare: "share of devices with a battery",
  chargingShare: "share of the hours in which a battery is being charged",
  unmeteredShare: "share of the hours in which a device is on an unmetered network",
  untoldShare: "share of devices whose platform tells neither memory nor battery nor network",
};

export function withFleetOptions(command: Command): Command {
  for (const [name, description] of Object.entries(DESCRIPTIONS)) {
    const key = name as keyof FleetModel;
    const [low, high] = FLEET_RANGES[key];
    const option = new Option(`${flagOf(key)} <n>`, `${description} (${low} to ${high})`).argParser(
      (text: string) => {
        const value = Number(text);
        if (text.trim() !== "" && value >= low && value <= high) return value;
        throw new InvalidArgumentError(`Expected a number from ${low} to ${high}, got "${text}".`);
      },
    );
    const preset = FLEET_DEFAULTS[key];
    command.addOption(preset === null ? option : option.default(preset));
  }
  return command;
}

/** `name:share`, separated by commas: `en:0.6,de:0.3`. */
export function parseShares(text: string): Readonly<Record<string, number>> {
  const shares = text.split(",").map((part) => {
    const [, name, share] = /^([A-Za-z0-9][A-Za-z0-9._-]{0,62}):(0?\.\d+|[01])$/.exec(part.trim()) ?? [];
    if (name === undefined)
      throw new InvalidArgumentError(
        `Expected name:share with a share from 0 to 1, as in beta:0.1, got "${part}".`,
      );
    return [name, Number(share)] as const;
  });
  return Object.fromEntries(shares);
}

/** Those of the options that say how devices behave. */
export function fleetOf(options: FleetOptions): Partial<FleetModel> {
  return Object.fromEntries(
    Object.keys(DESCRIPTIONS).flatMap((name) => {
      const value = options[name as keyof FleetModel];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
