import { silentLogger } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { expect, test } from "vitest";
import { createInProcessBus } from "../../src/adapters/bus/in-process-bus.ts";
import { followTasks } from "../../src/runs/follow-tasks.ts";

const settle = () => new Promise((resolve) => setImmediate(resolve));

function followed(sync: (task: string) => Promise<void>) {
  const clock = createVirtualClock();
  const bus = createInProcessBus(silentLogger);
  const told: string[] = [];
  const follower = followTasks({
    env: { clock, log: silentLogger },
    bus,
    tracker: "test",
    tasks: async () => ["before"],
    sync: async (task) => {
      told.push(task);
      await sync(task);
    },
  });
  const changed = (type: string, data: object, id: number | null = 1) =>
    bus.publish("event", { id, type, data } as never);
  const advance = async (ms: number) => {
    clock.advance(ms);
    await settle();
  };
  return { told, follower, changed, advance };
}

test("a tracker is told of what changed, many changes together, and of what was there before", async () => {
  const { told, follower, changed, advance } = followed(async () => {});
  await settle();
  for (let i = 0; i < 50; i += 1) await changed("round", { task: "digits" });
  await changed("task", { name: "words" });
  // A round under way is shown many times a second, and is none of these.
  await changed("round", { task: "running" }, null);
  await changed("version", { model: "digits" });
  await advance(1_000);
  expect(told).toEqual(["before", "digits", "words"]);
  await follower.close();
  await changed("round", { task: "digits" });
  await advance(10_000);
  expect(told).toHaveLength(3);
});

test("what cannot be told is tried again, ever more seldom, and holds names alone", async () => {
  let away = true;
  const { told, changed, advance, follower } = followed(async () => {
    if (away) throw new Error("away");
  });
  await settle();
  await advance(1_000);
  expect(told).toHaveLength(1);
  await advance(1_999);
  expect(told).toHaveLength(1);
  await advance(1);
  expect(told).toHaveLength(2);
  for (let i = 0; i < 1_000; i += 1) await changed("round", { task: "digits" });
  for (let hour = 0; hour < 60; hour += 1) await advance(60_000);
  // An hour away: a try every five minutes at most.
  expect(told.length).toBeLessThan(25);
  away = false;
  told.length = 0;
  await advance(300_000);
  await advance(300_000);
  expect(new Set(told)).toEqual(new Set(["before", "digits"]));
  expect(told).toHaveLength(2);
  await follower.close();
});
