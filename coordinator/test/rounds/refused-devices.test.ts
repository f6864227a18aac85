import { asTaskName } from "@tributary/core";
import { afterEach, expect, test, vi } from "vitest";
import { bodyMaker, publishTask, rooms, type RoundDevice } from "./rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");

test("a device whose updates are refused for what is in them is left out after three; one that counts clears it", async () => {
  const room = await open();
  await publishTask(room, { rounds: 9, maxUpdateNorm: 50 });
  const body = await bodyMaker(room);
  const [bad, ...others] = await Promise.all([room.device(), room.device(), room.device()]);
  const good = (device: RoundDevice) => device.report((offer) => body(offer, { value: 0.25 }));
  const refused = async (): Promise<void> => {
    const offer = await bad.offer();
    const update = body(offer, { value: Number.NaN });
    bad.ready(offer, update);
    await bad.put(await bad.socket.next("request-report"), update);
    // Rounds that counted it have an outcome of their own.
    while ((await bad.socket.next("outcome")).code !== "update/not-finite");
  };
  const suspected = async () =>
    (await room.store.suspicions.list(task)).map(({ deviceId, points, state }) => [deviceId, points, state]);
  const { deviceId } = bad.identity;
  for (const device of [bad, ...others]) device.checkIn();

  await Promise.all([refused(), ...others.map(good)]);
  await vi.waitFor(async () => expect(await suspected()).toEqual([[deviceId, 1, "suspected"]]));
  await Promise.all([bad, ...others].map(good));
  await vi.waitFor(async () => expect(await suspected()).toEqual([]));
  for (let round = 0; round < 3; round++) await Promise.all([refused(), ...others.map(good)]);
  await vi.waitFor(async () => expect(await suspected()).toEqual([[deviceId, 3, "quarantined"]]));

  // Told when the next round draws its devices, and not asked again.
  expect(await bad.socket.next("refusal")).toMatchObject({ code: "federation/quarantined" });
  const events = await room.store.events.after(0, 10_000);
  expect(events.filter(({ type }) => type === "suspicion").map(({ data }) => data)).toMatchObject([
    { device: deviceId, state: "quarantined" },
  ]);
  const [record] = await room.store.audit.list({ action: "device.quarantine" }, { limit: 2 });
  const pseudonym = await room.store.audit.pseudonym(deviceId);
  expect(record).toMatchObject({
    actor: { kind: "coordinator", task },
    object: { task, device: pseudonym },
    detail: { points: 3 },
  });
  expect(JSON.stringify(record)).not.toContain(deviceId);
});
