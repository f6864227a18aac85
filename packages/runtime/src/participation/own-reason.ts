import type { DeviceConditions } from "@tributary/federation";

/** Below this a battery that is not charged is left alone, whatever a task says. */
const LOW_BATTERY = 0.2;

/** What the device owes its person, whatever a task asks: no data where they save it, no power where there is little. */
export function ownReason({
  saveData,
  battery,
}: Pick<DeviceConditions, "battery"> & { readonly saveData?: boolean }): "network" | "battery" | null {
  if (saveData === true) return "network";
  const isLow = battery !== null && battery !== "none" && !battery.charging && battery.level < LOW_BATTERY;
  return isLow ? "battery" : null;
}
