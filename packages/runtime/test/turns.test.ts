import { expect, test } from "vitest";
import { createTurns } from "../src/turns.ts";

test("one at a time, in order; ending twice ends once", async () => {
  const turns = createTurns();
  const log: string[] = [];
  const first = await turns.take();
  const others = ["a", "b"].map(async (name) => {
    const end = await turns.take();
    log.push(`${name} begins`);
    await Promise.resolve();
    log.push(`${name} ends`);
    end();
    end();
  });
  first();
  first();
  await Promise.all(others);
  expect(log).toEqual(["a begins", "a ends", "b begins", "b ends"]);
  (await turns.take())();
});

test("who gives up while waiting loses only its own place", async () => {
  const turns = createTurns();
  const end = await turns.take();
  const controller = new AbortController();
  const given = turns.take(controller.signal);
  const next = turns.take();
  controller.abort(new Error("not needed"));
  await expect(given).rejects.toThrow("not needed");
  end();
  (await next)();
  await expect(turns.take(AbortSignal.abort(new Error("before")))).rejects.toThrow("before");
  (await turns.take())();
});
