import { expect, test } from "vitest";
import { eventStream } from "../src/event-stream.ts";

function source() {
  const listeners = new Set<(event: number) => void>();
  const ended = new AbortController();
  const open = (signal?: AbortSignal) =>
    eventStream<number>({
      ended: ended.signal,
      signal,
      subscribe(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    });
  return {
    listeners,
    ended,
    open,
    emit: (event: number) => listeners.forEach((listener) => listener(event)),
  };
}

test("events from the call on, in order, also those before the first next()", async () => {
  const { open, emit, ended } = source();
  emit(0);
  const stream = open();
  emit(1);
  emit(2);
  ended.abort();
  const seen: number[] = [];
  for await (const event of stream) seen.push(event);
  expect(seen).toEqual([1, 2]);
});

test("leaving the loop unsubscribes", async () => {
  const { open, emit, listeners } = source();
  const stream = open();
  emit(1);
  for await (const _ of stream) break;
  expect(listeners.size).toBe(0);
});

test("a pending next() settles when the source ends, and rejects with the consumer's reason", async () => {
  const { open, ended } = source();
  const pending = open().next();
  ended.abort();
  expect(await pending).toEqual({ done: true, value: undefined });
  const other = source();
  const controller = new AbortController();
  const aborted = other.open(controller.signal).next();
  controller.abort(new Error("enough"));
  await expect(aborted).rejects.toThrow("enough");
  expect(other.listeners.size).toBe(0);
});

test("a consumer that lags loses the oldest, not the memory", async () => {
  const { open, emit } = source();
  const stream = open();
  for (let i = 0; i < 5000; i++) emit(i);
  expect(await stream.next()).toEqual({ done: false, value: 5000 - 1024 });
});

test("several next() at once all settle", async () => {
  const { open, emit, ended } = source();
  const stream = open();
  const pending = [stream.next(), stream.next(), stream.next()];
  emit(1);
  emit(2);
  ended.abort();
  const settled = await Promise.all(pending);
  expect(settled.map(({ done, value }) => (done === true ? "done" : value))).toEqual([1, 2, "done"]);
});
