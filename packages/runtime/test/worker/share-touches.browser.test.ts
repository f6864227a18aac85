import { createVirtualClock } from "@tributary/core/testing";
import { expect, test } from "vitest";
import type { Device } from "../../src/device.ts";
import { shareTouches } from "../../src/worker/share-touches.ts";

test("a touch of one tab holds up another, until it is quiet, or gone", async () => {
  const name = `touched-${crypto.randomUUID()}`;
  const clock = createVirtualClock();
  let heard = Promise.withResolvers<boolean>();
  const training = shareTouches(
    {
      setBusy: async (busy: boolean) => heard.resolve(busy),
      close: async () => {},
    } as unknown as Device,
    name,
    clock,
  );
  const told = async (): Promise<boolean> => {
    const busy = await heard.promise;
    heard = Promise.withResolvers<boolean>();
    return busy;
  };
  const used = (): Device =>
    shareTouches({ setBusy: async () => {}, close: async () => {} } as unknown as Device, name, clock);
  const first = used();
  await first.setBusy(true);
  expect(await told()).toBe(true);
  await first.setBusy(false);
  expect(await told()).toBe(false);
  // Touched itself, it is busy while either is.
  const second = used();
  await second.setBusy(true);
  expect(await told()).toBe(true);
  await training.setBusy(true);
  expect(await told()).toBe(true);
  await training.setBusy(false);
  expect(await told()).toBe(true);
  // Closed in the middle of a touch: nobody says that it ended.
  await second.close();
  clock.advance(1500);
  expect(await told()).toBe(false);
  await Promise.all([first.close(), training.close()]);
});
