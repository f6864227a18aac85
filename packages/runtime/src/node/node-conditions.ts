import { readdir, readFile } from "node:fs/promises";
import { totalmem } from "node:os";
import { join } from "node:path";
import type { DeviceConditions } from "@tributary/federation";
import type { ConditionsPort } from "../device.ts";

/** Where Linux shows power supplies. */
const POWER_SUPPLIES = "/sys/class/power_supply";

/** What Node and the system tell; read anew each time, as nothing tells of changes. */
export function nodeConditions(engines: readonly string[], powerSupplies = POWER_SUPPLIES): ConditionsPort {
  return {
    read: async () => ({
      engines,
      memoryMb: Math.floor(memoryBytes() / 2 ** 20),
      battery: await readBattery(powerSupplies),
      network: null,
      durableStorage: true,
      languages: [new Intl.DateTimeFormat().resolvedOptions().locale],
    }),
    follow: () => () => undefined,
  };
}

/** Of the container, where there is one. */
function memoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

async function readBattery(folder: string): Promise<DeviceConditions["battery"]> {
  const names = await readdir(folder).catch(() => undefined);
  if (names === undefined) return null;
  for (const name of names) {
    const read = (file: string): Promise<string> =>
      readFile(join(folder, name, file), "utf8").then(
        (text) => text.trim(),
        () => "",
      );
    // A mouse has a battery too, of scope Device.
    if ((await read("type")) !== "Battery" || (await read("scope")) === "Device") continue;
    const capacity = Number.parseInt(await read("capacity"), 10);
    if (!(capacity >= 0 && capacity <= 100)) continue;
    const status = await read("status");
    return { charging: status === "Charging" || status === "Full", level: capacity / 100 };
  }
  return "none";
}
