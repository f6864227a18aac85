import type { PopulationName } from "@tributary/core";
import Type, { type Static } from "typebox";

/** Answer to `DELETE /v1/populations/:population/device`. */
export const DeviceErasure = Type.Object({
  /** False: there was no record of the device. */
  erased: Type.Boolean(),
});
export type DeviceErasure = Static<typeof DeviceErasure>;

/** Where a device has its record erased: by its certificate, and a signature over `erasureMessage`. */
export function erasurePath(population: PopulationName | string): string {
  return `/v1/populations/${encodeURIComponent(population)}/device`;
}
