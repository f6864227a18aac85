import { asRoundId, systemClock, type Clock } from "@tributary/core";
import { expect, test, vi } from "vitest";
import { temporaryFolder } from "../temporary-folder.ts";
import { bodyMaker, publishTask, startRoom } from "./rounds-room.ts";

const HOUR = 3_600_000;

test("a clock that is set forward and back by an hour ends no round and prolongs none", async () => {
  const folder = await temporaryFolder();
  let aheadMs = 0;
  const clock: Clock = { ...systemClock, now: () => Date.now() + aheadMs };
  const room = await startRoom(folder.path, { clock });
  try {
    await publishTask(room, { rounds: 2, cohort: { trainDeadlineMs: 60_000, reportDeadlineMs: 30_000 } });
    const body = await bodyMaker(room);
    const devices = await Promise.all([room.device(), room.device(), room.device()]);
    for (const device of devices) device.checkIn();
    const offers = await Promise.all(devices.map((device) => device.offer()));
    const startedAt = Date.now();
    const row = async () => (await room.store.rounds.get(asRoundId("digits-1")))!;

    aheadMs = HOUR;
    for (const [i, device] of devices.entries()) device.ready(offers[i]!, body(offers[i]!));
    const requests = await Promise.all(devices.map((device) => device.socket.next("request-report")));
    // Devices hear the time that deadlines are kept by; people read the clock on the wall.
    expect(Math.abs(requests[0]!.deadlineMs - startedAt - 30_000)).toBeLessThan(25_000);
    await vi.waitFor(async () =>
      expect(Math.abs((await row()).deadlineAt! - startedAt - HOUR - 30_000)).toBeLessThan(25_000),
    );
    expect((await devices[0]!.put(requests[0]!, body(offers[0]!))).status).toBe(202);

    aheadMs = -HOUR;
    for (const i of [1, 2]) expect((await devices[i]!.put(requests[i]!, body(offers[i]!))).status).toBe(202);
    expect(await devices[0]!.socket.next("outcome")).toMatchObject({ result: "committed", version: 2 });
    const { endedAt, seconds, phase, reported } = await row();
    expect({ phase, reported }).toEqual({ phase: "committed", reported: 3 });
    expect(Math.abs(endedAt! - startedAt + HOUR)).toBeLessThan(60_000);
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThan(60);
    // The next one comes as if nothing had been.
    await Promise.all(devices.map((device) => device.report((offer) => body(offer))));
    expect(await devices[0]!.socket.next("outcome")).toMatchObject({ result: "committed", version: 3 });
  } finally {
    await room.stop();
    await folder.remove();
  }
});
