/** The battery, which pages know and workers do not. Chromium alone tells. */
import type { Device } from "../device.ts";

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
  let following = false;
  const follow = async (): Promise<void> => {
    if (following || navigator.getBattery === undefined) return;
    following = true;
    try {
      const battery = await navigator.getBattery();
      const tell = (): void => {
        const { charging, level } = battery;
        // A worker that is gone hears it when it comes back.
        device.setBattery({ charging, level }).catch(() => undefined);
      };
      for (const change of ["chargingchange", "levelchange"]) battery.addEventListener(change, tell);
      tell();
    } catch {
      // A page that may not know it is one whose platform does not tell.
    }
  };
  return {
    ...device,
    async participate(request) {
      void follow();
      await device.participate(request);
    },
  };
}
