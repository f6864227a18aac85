import { createVirtualClock } from "@tributary/core/testing";
import { expect, test } from "vitest";
import type { Device } from "../../src/device.ts";
import { rarerCalls } from "../../src/rarer.ts";
import { withIdleness } from "../../src/worker/idleness.ts";

test("a device that trains when idle is told so after three quiet seconds, and at once when touched", async () => {
  await rarerCalls.load();
  const clock = createVirtualClock();
  const told: boolean[] = [];
  const touched: boolean[] = [];
  const device = withIdleness(
    {
      setIdle: async (idle: boolean) => void told.push(idle),
      setBusy: async (busy: boolean) => void touched.push(busy),
      participate: async () => {},
      stopParticipating: async () => {},
      close: async () => {},
    } as unknown as Device,
    clock,
  );
  await device.participate({ consent: true, when: "always" });
  dispatchEvent(new PointerEvent("pointerdown"));
  expect(told).toEqual([]);
  expect(touched).toEqual([true]);
  clock.advance(499);
  dispatchEvent(new Event("scroll"));
  clock.advance(499);
  expect(touched).toEqual([true, true]); // said again while it lasts
  clock.advance(1);
  expect(touched).toEqual([true, true, false]);

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
  const before = touched.length;
  dispatchEvent(new PointerEvent("pointerdown"));
  expect(touched).toHaveLength(before);

  await device.participate({ consent: true, when: "visible" });
  expect(told).toEqual([false, true, false, true]);
});
