import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { asTaskName, type RoundId } from "@tributary/core";
import { initialRound, stepRound, type RoundConfig } from "@tributary/federation";
import { buildLinear } from "@tributary/onnx";
import type { Offer } from "@tributary/protocol";
import { afterEach, describe, expect, test, vi } from "vitest";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import { journalInput } from "../../src/rounds/round-journal.ts";
import { back, crashes, ended } from "./crashed-room.ts";
import { bodyMaker, model, publishTask, rooms, weightsOf, type Body, type Room } from "./rounds-room.ts";

const task = asTaskName("digits");
const { open, dispose } = rooms();
const { imageOf, restart, dispose: disposeImages } = crashes();
afterEach(async () => {
  await disposeImages();
  await dispose();
});

/** Three devices that were offered the first round; their updates differ. */
async function offered(spec: Record<string, unknown> = {}) {
  const room = await open();
  await publishTask(room, { rounds: 1, ...spec });
  const make = await bodyMaker(room);
  const devices = await Promise.all([room.device(), room.device(), room.device()]);
  for (const device of devices) device.checkIn();
  const offers = await Promise.all(devices.map((device) => device.offer()));
  const bodies = offers.map((offer, i) => make(offer, { value: 0.1 * (i + 1), numExamples: 10 * (i + 1) }));
  return { room, devices, offers, bodies };
}

type Offered = Awaited<ReturnType<typeof offered>>;

/** All are ready and asked; the first `count` of them have reported. */
async function reported(count: number, given?: Offered) {
  const begun = given ?? (await offered());
  const { devices, offers, bodies } = begun;
  for (const [i, device] of devices.entries()) device.ready(offers[i]!, bodies[i]!);
  const requests = await Promise.all(devices.map((device) => device.socket.next("request-report")));
  for (const [i, request] of requests.slice(0, count).entries())
    expect((await devices[i]!.put(request, bodies[i]!)).status).toBe(202);
  return { ...begun, requests };
}

async function expectMeanOf(room: Room, bodies: readonly Body[]): Promise<void> {
  const base = await weightsOf(room, 1);
  const total = bodies.reduce((sum, { numExamples }) => sum + numExamples, 0);
  const sum = bodies.reduce(
    (all, { numExamples }) => all + numExamples * Math.fround(0.1 * (numExamples / 10)),
    0,
  );
  const step = Math.fround(sum / total);
  expect(await weightsOf(room, 2)).toEqual(base.map((value) => Math.fround(value + step)));
}

async function expectReplay(room: Room, id: RoundId): Promise<void> {
  const row = (await room.store.rounds.get(id))!;
  const config = row.config as unknown as RoundConfig;
  const entries = await room.store.journal.read(id);
  expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, i) => i + 1));
  let state = initialRound(config);
  for (const entry of entries) state = stepRound(config, state, journalInput(entry)).state;
  const { phase, reported: counted, dropouts, cohort } = row;
  expect(state).toMatchObject({ phase, counts: { reported: counted, dropouts, cohort } });
}

describe("a round that a crash interrupted", () => {
  test("while updates are reported: what was accepted counts once, the others report to the next process", async () => {
    const { room, devices, bodies, requests } = await reported(2);
    const { roundId } = requests[0]!;
    const again = await restart(await imageOf(room.folder));
    const [first, , third] = await Promise.all(devices.map((device) => back(again, device)));
    const request = await third!.socket.next("request-report");
    expect(request).toMatchObject({ roundId, deadlineMs: requests[2]!.deadlineMs });
    // Its answer was lost with the process, for all that this device knows.
    expect((await first!.put(requests[0]!, bodies[0]!)).status).toBe(202);
    expect((await third!.put(request, bodies[2]!)).status).toBe(202);
    expect(await ended(again, roundId)).toMatchObject({
      phase: "committed",
      version: 2,
      cohort: 3,
      reported: 3,
      numExamples: 60,
      bytesUp: bodies.reduce((sum, { bytes }) => sum + bytes.length, 0),
    });
    await expectMeanOf(again, bodies);
    await expectReplay(again, roundId);
    await vi.waitFor(async () => expect(await readdir(join(room.folder, "uploads"))).toEqual(["digits-1"]));
  });

  test("while devices train: they come back with the update that they were asked for", async () => {
    const begun = await offered();
    const { room, devices, offers, bodies } = begun;
    devices[0]!.ready(offers[0]!, bodies[0]!);
    await vi.waitFor(async () =>
      expect(JSON.stringify(await room.store.journal.read(offers[0]!.roundId))).toContain('"ready"'),
    );
    const again = await restart(await imageOf(room.folder));
    const all = await Promise.all(devices.map((device) => back(again, device)));
    // Who said ready is not believed to have its update still: it says so again.
    const repeated: Offer[] = await Promise.all(all.map((device) => device.offer()));
    expect(repeated).toEqual(offers);
    await Promise.all(
      all.map(async (device, i) => {
        device.ready(repeated[i]!, bodies[i]!);
        expect((await device.put(await device.socket.next("request-report"), bodies[i]!)).status).toBe(202);
      }),
    );
    expect(await ended(again, offers[0]!.roundId)).toMatchObject({ phase: "committed", reported: 3 });
    await expectMeanOf(again, bodies);
  });

  test("while its updates are aggregated: the next process makes the version", async () => {
    const { room, devices, bodies, requests } = await reported(2);
    const { roundId } = requests[0]!;
    const folder = await imageOf(room.folder);
    // The moment after the last report, before the version.
    const { deviceId } = devices[2]!.identity;
    const { digest, bytes } = bodies[2]!;
    await writeFile(join(folder, "uploads", roundId, `${deviceId}-${digest}-7.update`), bytes);
    const store = await openSqlMetadataStore({ path: join(folder, "tributary.db") });
    const entries = await store.journal.read(roundId);
    const { sequence, at } = entries.at(-1)!;
    const input = { type: "report-accepted", device: deviceId, digest };
    await store.journal.append([{ roundId, sequence: sequence + 1, at, input }]);
    await store.close();

    const again = await restart(folder);
    expect(await ended(again, roundId)).toMatchObject({ phase: "committed", version: 2, reported: 3 });
    await expectMeanOf(again, bodies);
    await expectReplay(again, roundId);
  });

  test.each([
    [
      "an accepted update is not what was accepted any more",
      "round/interrupted",
      async (folder: string) => {
        const uploads = join(folder, "uploads", "digits-1");
        const [name] = await readdir(uploads);
        await writeFile(join(uploads, name!), "scratched");
      },
    ],
    [
      "its deadline has passed",
      "round/interrupted",
      async (folder: string) => {
        const db = new DatabaseSync(join(folder, "tributary.db"));
        db.exec("update round_inputs set at = at - 3600000");
        db.close();
      },
    ],
    [
      "its task was paused",
      "round/task-paused",
      async (folder: string) => {
        const store = await openSqlMetadataStore({ path: join(folder, "tributary.db") });
        await store.tasks.setState(task, "paused");
        await store.close();
      },
    ],
  ])("is abandoned where %s", async (_, reason, change) => {
    const { room, requests } = await reported(1);
    const folder = await imageOf(room.folder);
    await change(folder);
    const again = await restart(folder);
    const round = await ended(again, requests[0]!.roundId);
    expect(round).toMatchObject({ phase: "abandoned", reason, version: null, cohort: 3, reported: 1 });
    await expectReplay(again, round.id);
    expect((await again.registry.model(model)).currentVersion).toBe(1);
    expect(await readdir(join(folder, "uploads"))).toEqual([]);
  });

  test("is abandoned where its base was replaced, and the next begins with the new one", async () => {
    const { room, requests } = await reported(1);
    const folder = await imageOf(room.folder);
    // A version that was stored when the process died, and a round that had not heard of it.
    const store = await openSqlMetadataStore({ path: join(folder, "tributary.db") });
    const journal = await store.journal.read(requests[0]!.roundId);
    const row = (await store.rounds.get(requests[0]!.roundId))!;
    await store.close();
    const other = await restart(folder);
    await other.registry.publish(model, buildLinear({ seed: 2 }));
    await other.stop();
    const reopened = await openSqlMetadataStore({ path: join(folder, "tributary.db") });
    const id = "digits-9" as RoundId;
    await reopened.rounds.insert({ ...row, id, number: 9 });
    await reopened.journal.append(journal.map((entry) => ({ ...entry, roundId: id })));
    await reopened.close();

    const again = await restart(folder);
    expect(await ended(again, id)).toMatchObject({ phase: "abandoned", reason: "round/base-replaced" });
    await vi.waitFor(async () =>
      expect(await again.store.rounds.open()).toMatchObject([{ number: 10, baseVersion: 2 }]),
    );
  });
});
