import { createVirtualClock, type VirtualClock } from "@tributary/core/testing";
import { beforeEach, describe, expect, test } from "vitest";
import { createLiveness, type Liveness } from "../../src/worker/liveness.ts";

let clock: VirtualClock;
let stuck: number[];
let liveness: Liveness;
beforeEach(() => {
  clock = createVirtualClock();
  stuck = [];
  liveness = createLiveness(clock, (quietMs) => stuck.push(quietMs));
});

/** An answer that comes when the test says so. */
function asked(): { answer(): void } {
  const atMs = liveness.asked();
  return { answer: () => liveness.answered(atMs, true) };
}

describe("a worker", () => {
  test("that does not answer for ten seconds is stuck", () => {
    asked();
    clock.advance(9_999);
    expect(stuck).toEqual([]);
    clock.advance(1);
    expect(stuck).toEqual([10_000]);
    clock.advance(60_000);
    expect(stuck).toEqual([10_000]);
  });

  test("whose answers take long may be quiet twenty times as long", () => {
    const slow = asked();
    clock.advance(2_000);
    slow.answer();
    asked();
    clock.advance(39_999);
    expect(stuck).toEqual([]);
    clock.advance(1);
    expect(stuck).toEqual([40_000]);
  });

  test("whose calls end without an answer may not be quiet longer for that", () => {
    const atMs = liveness.asked();
    clock.advance(5_000);
    liveness.answered(atMs, false);
    asked();
    clock.advance(10_000);
    expect(stuck).toEqual([10_000]);
  });

  test("that nobody asks may be quiet for ever", () => {
    asked().answer();
    clock.advance(3_600_000);
    expect([stuck, clock.pendingTimers]).toEqual([[], 0]);
  });

  test("that says something is alive, however long its queue", () => {
    asked();
    for (let i = 0; i < 10; i++) {
      clock.advance(8_000);
      if (i % 2 === 0) liveness.seen();
      else asked().answer();
    }
    expect(stuck).toEqual([]);
  });

  test("that loads a model may be quiet meanwhile", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const loading = liveness.excuse(promise);
    asked();
    clock.advance(60_000);
    resolve();
    await loading;
    clock.advance(9_999);
    expect(stuck).toEqual([]);
    clock.advance(1);
    expect(stuck).toHaveLength(1);
  });

  test("of a page that slept is given its time again", () => {
    const late: (() => void)[] = [];
    let now = 0;
    const frozen = {
      ...clock,
      monotonicMs: () => now,
      schedule: (_: number, run: () => void) => {
        late.push(run);
        return { cancel() {} };
      },
    };
    createLiveness(frozen, (quietMs) => stuck.push(quietMs)).asked();
    now = 3_600_000;
    late.shift()!();
    expect(stuck).toEqual([]);
    now += 10_000;
    late.shift()!();
    expect(stuck).toEqual([10_000]);
  });

  test("that ended is watched no more", () => {
    asked();
    liveness.end();
    clock.advance(60_000);
    expect([stuck, clock.pendingTimers]).toEqual([[], 0]);
  });
});
