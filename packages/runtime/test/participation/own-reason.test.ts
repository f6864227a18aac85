import { expect, test } from "vitest";
import { ownReason } from "../../src/participation/own-reason.ts";

test.each([
  [{ battery: null }, null],
  [{ battery: "none" as const }, null],
  [{ battery: { charging: false, level: 0.2 } }, null],
  [{ battery: { charging: false, level: 0.19 } }, "battery"],
  [{ battery: { charging: true, level: 0.05 } }, null],
  [{ battery: null, saveData: true }, "network"],
  [{ battery: null, saveData: false }, null],
])("%j: whatever a task asks, %s keeps the device from it", (conditions, reason) => {
  expect(ownReason(conditions)).toBe(reason);
});
