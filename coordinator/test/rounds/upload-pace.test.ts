import { createVirtualClock } from "@tributary/core/testing";
import { expect, test } from "vitest";
import { Semaphore } from "../../src/rounds/serial-queue.ts";
import { PACE_BYTES, PACE_MS, watchPace } from "../../src/rounds/upload-pace.ts";

/** A body whose chunks come when they are told to. */
function body() {
  const stream = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, { highWaterMark: 10 });
  const writer = stream.writable.getWriter();
  return {
    source: stream.readable,
    send: (length: number) => writer.write(new Uint8Array(length)),
    end: () => writer.close(),
  };
}

async function read(source: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const chunk of source) length += chunk.length;
  return length;
}

test("a slow upload gives its place to those that wait", async () => {
  const clock = createVirtualClock();
  const places = new Semaphore(1);
  const slow = body();
  const first = places.run(async () => {
    const pace = watchPace(clock, () => places.waiting > 0);
    try {
      return await read(pace.watch(slow.source));
    } finally {
      pace.stop();
    }
  });
  await slow.send(10);
  clock.advance(PACE_MS);
  const second = places.run(() => Promise.resolve("its turn"));
  await slow.send(10);
  clock.advance(PACE_MS);
  await expect(first).rejects.toMatchObject({ code: "transport/upload-failed" });
  expect(await second).toBe("its turn");
  expect(clock.pendingTimers).toBe(0);
});

test("an upload that keeps up is left alone, and so is a slow one that nobody waits for", async () => {
  const clock = createVirtualClock();
  let waiting = true;
  const pace = watchPace(clock, () => waiting);
  const upload = body();
  const length = read(pace.watch(upload.source));
  for (let i = 0; i < 3; i++) {
    await upload.send(PACE_BYTES);
    await new Promise(setImmediate);
    clock.advance(PACE_MS);
  }
  waiting = false;
  clock.advance(PACE_MS);
  await upload.end();
  expect(await length).toBe(3 * PACE_BYTES);
  pace.stop();
  expect(clock.pendingTimers).toBe(0);
});
