import { asRoundId } from "@tributary/core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { JOURNAL_KEPT_MS, startHousekeeping } from "../src/housekeeping.ts";
import { exampleModel, exampleRound, exampleTask } from "../src/testing/records.ts";
import { openRoom, type Room } from "./room.ts";

let room: Room;
beforeEach(async () => {
  room = await openRoom();
  await room.store.models.insert(exampleModel());
  await room.store.tasks.insert(exampleTask());
});
afterEach(() => room.dispose());

async function insertRound(number: number, endedAt: number | null) {
  const round = exampleRound(number, { endedAt });
  await room.store.rounds.insert(round);
  await room.store.journal.append([{ roundId: round.id, sequence: 1, at: 1, input: { type: "start" } }]);
  return round.id;
}
const entries = async (id: string) => (await room.store.journal.read(asRoundId(id))).length;

test("journals of rounds that ended long ago are forgotten: at once, and day by day", async () => {
  const { clock, env, store } = room;
  const old = await insertRound(1, clock.now() - JOURNAL_KEPT_MS - 1);
  const recent = await insertRound(2, clock.now() - 1_000);
  const running = await insertRound(3, null);
  const housekeeping = await startHousekeeping({ env, store, keptEvents: 10 });
  expect(await entries(old)).toBe(0);
  expect(await entries(recent)).toBe(1);

  const days = JOURNAL_KEPT_MS / 86_400_000;
  for (let day = 0; day <= days; day++) {
    clock.advance(86_400_000);
    await vi.waitFor(() => expect(clock.pendingTimers).toBe(1));
  }
  await vi.waitFor(async () => expect(await entries(recent)).toBe(0));
  expect(await entries(running)).toBe(1);
  housekeeping.close();
  expect(clock.pendingTimers).toBe(0);
});
