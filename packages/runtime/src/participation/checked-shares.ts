import type { ParticipateRequest } from "../device.ts";

/** @throws RangeError */
export function checkShares({ dutyCycle = 1, holdBack = 0 }: ParticipateRequest): void {
  if (!(dutyCycle > 0 && dutyCycle <= 1)) {
    throw new RangeError(`participate: dutyCycle must be above 0 and at most 1, got ${dutyCycle}`);
  }
  if (!(holdBack >= 0 && holdBack <= 0.5)) {
    throw new RangeError(`participate: holdBack must be from 0 to 0.5, got ${holdBack}`);
  }
}
