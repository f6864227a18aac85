import { createVirtualClock } from "@tributary/core/testing";
import { expect, test } from "vitest";
import type { Device } from "../../src/device.ts";
import { withIdleness } from "../../src/worker/idleness.ts";

test("a device that trains when idle is told so after three quiet seconds, and at once when touched", async () => {
  const clock = createVirtualClock();
  const told: boolean[] = [];
  const device = withIdleness(
    {
      setIdle: async (idle: boolean) => void told.push(idle),
      participate: async () => {},
      stopParticipating: async () => {},
      close: async () => {},
    } as unknown as Device,
    clock,
  );
  await device.participate({ consent: true, when: "always" });
  dispatchEvent(new PointerEvent("pointerdown"));
  expect(told).toEqual([]);

  await device.participate({ consent: true, when: "idle" });
  expect(told).toEqual([false]);
  clock.advance(2999);
  dispatchEvent(new PointerEvent("pointermove"));
  clock.advance(2999);
  expect(told).toEqual([false]);
  clock.advance(1);
  expect(told).toEqual([false, true]);
  dispatchEvent(new KeyboardEvent("keydown"));
  expect(told).toEqual([false, true, false]);

  await device.stopParticipating();
  clock.advance(10_000);
  expect(told).toEqual([false, true, false]);
});
