import { asRoundId, asTaskName } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { createMemoryStore } from "@tributary/runtime/testing";
import { expect, test } from "vitest";
import { createSeparations } from "../../src/participation/separations.ts";

const tooSoon = { code: "federation/too-soon" };
const offer = (round: number, task = "digits") => ({
  task: asTaskName(task),
  roundId: asRoundId(`${task}-${round}`),
  round,
});

test("the app's own time between participations holds where the plan asks for less", async () => {
  const clock = createVirtualClock();
  const { settings } = createMemoryStore();
  const separations = createSeparations(settings, clock, 60_000);
  await separations.begin(offer(1), undefined);
  // The same round again, after its process was lost.
  await separations.begin(offer(1), undefined);
  await expect(separations.begin(offer(9), undefined)).rejects.toMatchObject(tooSoon);
  // Another task has its own count.
  await separations.begin(offer(1, "letters"), undefined);
  clock.advance(59_999);
  const restarted = createSeparations(settings, clock, 60_000);
  await expect(restarted.begin(offer(9), undefined)).rejects.toMatchObject({
    ...tooSoon,
    detail: { waitMs: 1 },
  });
  clock.advance(1);
  await restarted.begin(offer(9), undefined);
});

test("the plan's time and rounds hold where they are longer; what was stored wrongly is nothing", async () => {
  const clock = createVirtualClock();
  const { settings } = createMemoryStore();
  await settings.write("participated digits", { roundId: 7 });
  const separations = createSeparations(settings, clock, 0);
  const rules = { minimumSeparationMs: 5_000, minimumSeparationRounds: 2 };
  await separations.begin(offer(4), rules);
  clock.advance(5_000);
  await expect(separations.begin(offer(6), rules)).rejects.toMatchObject(tooSoon);
  await separations.begin(offer(7), rules);
});
