/** The battery, which pages know and workers do not. Chromium alone tells. */
import type { Device } from "../device.ts";
import { rarerCalls } from "../rarer.ts";

/** The part of a `BatteryManager` that is used. */
export interface BatteryState extends EventTarget {
  readonly charging: boolean;
  readonly level: number;
}

export interface BatteryNavigator {
  readonly getBattery?: () => Promise<BatteryState>;
}

/** The same device; from its first participation on it is told the battery's state, on every change. */
export function withBattery(device: Device, navigator: BatteryNavigator): Device {
  let following: Promise<void> | undefined;
  return {
    ...device,
    async participate(request) {
      following ??= rarerCalls.load().then(
        ({ followBattery }) => followBattery(device, navigator),
        () => undefined, // what trains is a script of its own, which is not there either
      );
      await device.participate(request);
    },
  };
}
