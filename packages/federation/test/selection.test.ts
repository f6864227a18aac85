import { expect, test } from "vitest";
import { createCheckInQueue } from "../src/index.ts";
import { device } from "./fixtures.ts";

const order = (queue: ReturnType<typeof createCheckInQueue>) =>
  queue.inOrder().map((checkIn) => [0, 1, 2, 3, 4].find((i) => device(i) === checkIn.device));

test("first come first served, then by the time since the last turn", () => {
  const queue = createCheckInQueue();
  for (const i of [0, 1]) queue.checkIn(device(i), 10);
  queue.offered(device(0));
  queue.offered(device(1));
  for (const i of [2, 3]) queue.checkIn(device(i), 10);
  expect(order(queue)).toEqual([2, 3, 0, 1]);
  queue.offered(device(3));
  queue.offered(device(2));
  expect(order(queue)).toEqual([0, 1, 3, 2]);
});

test("a check-in again keeps the place; a reconnect does not win one", () => {
  const queue = createCheckInQueue();
  for (const i of [0, 1, 2]) queue.checkIn(device(i), 10);
  queue.checkIn(device(0), 20);
  expect(queue.inOrder()[0]).toEqual({ device: device(0), examples: 20 });
  queue.offered(device(0));
  queue.remove(device(0));
  expect([queue.size, queue.has(device(0))]).toEqual([2, false]);
  queue.checkIn(device(0), 10);
  expect(order(queue)).toEqual([1, 2, 0]);
});
