import type { Device } from "../device.ts";
import type { BatteryNavigator } from "./battery.ts";

/** Tells a device the battery's state, now and on every change; not where the platform does not tell. */
export async function followBattery(
  device: Pick<Device, "setBattery">,
  navigator: BatteryNavigator,
): Promise<void> {
  const battery = await navigator.getBattery?.().catch(() => undefined);
  if (battery === undefined) return;
  const tell = (): void => {
    const { charging, level } = battery;
    // A worker that is gone hears it when it comes back.
    device.setBattery({ charging, level }).catch(() => undefined);
  };
  for (const change of ["chargingchange", "levelchange"]) battery.addEventListener(change, tell);
  tell();
}
