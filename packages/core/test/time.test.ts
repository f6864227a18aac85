import { describe, expect, test } from "vitest";
import {
  abortable,
  createLogger,
  delay,
  failure,
  silentLogger,
  systemClock,
  systemEnv,
  throwIfAborted,
  timeoutSignal,
  type LogEntry,
} from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";

describe("the virtual clock", () => {
  test("runs timers in order of time, then of scheduling", () => {
    const clock = createVirtualClock({ startMs: 1000 });
    const order: string[] = [];
    clock.schedule(20, () => order.push("late"));
    clock.schedule(10, () => {
      order.push("early");
      clock.schedule(5, () => order.push("nested"));
    });
    clock.schedule(10, () => order.push("early too"));
    const cancelled = clock.schedule(12, () => order.push("never"));
    cancelled.cancel();
    cancelled.cancel();
    expect(clock.nextInMs).toBe(10);
    expect(clock.advanceToNext()).toBe(true);
    expect(clock.now()).toBe(1010);
    clock.advance(6);
    expect(order).toEqual(["early", "early too", "nested"]);
    expect(clock.now()).toBe(1016);
    expect(clock.advanceToNext()).toBe(true);
    expect(clock.advanceToNext()).toBe(false);
    expect(order).toEqual(["early", "early too", "nested", "late"]);
    expect(clock.monotonicMs()).toBe(20);
    expect(clock.pendingTimers).toBe(0);
  });

  test("a user setting the wall clock moves no timer", () => {
    const clock = createVirtualClock();
    let ran = false;
    clock.schedule(100, () => (ran = true));
    clock.setNow(5);
    expect(clock.now()).toBe(5);
    clock.advance(99);
    expect(ran).toBe(false);
    clock.advance(1);
    expect(ran).toBe(true);
    expect(clock.now()).toBe(105);
    expect(() => clock.schedule(-1, () => {})).toThrow(RangeError);
  });

  test("lets promises settle between timers", async () => {
    const clock = createVirtualClock();
    const steps: number[] = [];
    const work = (async () => {
      for (let i = 0; i < 3; i++) {
        await delay(clock, 1000);
        steps.push(clock.monotonicMs());
      }
    })();
    while (await clock.advanceToNextAsync());
    await work;
    expect(steps).toEqual([1000, 2000, 3000]);
  });
});

describe("the system clock", () => {
  test("runs later, not at once, and cancels", async () => {
    let ran = 0;
    const cancelled = systemClock.schedule(0, () => (ran += 10));
    cancelled.cancel();
    await new Promise<void>((resolve) => {
      systemClock.schedule(0, () => {
        ran++;
        resolve();
      });
      expect(ran).toBe(0);
    });
    expect(ran).toBe(1);
    expect(systemClock.monotonicMs()).toBeGreaterThan(0);
    expect(() => systemClock.schedule(NaN, () => {})).toThrow(RangeError);
    // Longer than setTimeout can wait: must not fire at once.
    systemClock.schedule(2 ** 40, () => ran++).cancel();
  });
});

describe("abort", () => {
  test("a timeout aborts with core/timeout and leaves no timer", () => {
    const clock = createVirtualClock();
    const { signal } = timeoutSignal(clock, 500);
    clock.advance(499);
    expect(signal.aborted).toBe(false);
    clock.advance(1);
    expect(signal.reason).toMatchObject({ code: "core/timeout", detail: { timeoutMs: 500 } });
    expect(clock.pendingTimers).toBe(0);
  });

  test("the parent's reason wins when it comes first, also when it came before", () => {
    const clock = createVirtualClock();
    const parent = new AbortController();
    const timeout = timeoutSignal(clock, 500, parent.signal);
    parent.abort("stop");
    expect(timeout.signal.reason).toBe("stop");
    expect(timeoutSignal(clock, 500, parent.signal).signal.reason).toBe("stop");
    expect(clock.pendingTimers).toBe(0);
  });

  test("cancelled, it never aborts", () => {
    const clock = createVirtualClock();
    const timeout = timeoutSignal(clock, 500);
    timeout.cancel();
    timeout[Symbol.dispose]();
    clock.advance(1000);
    expect(timeout.signal.aborted).toBe(false);
  });

  test("abortable settles at once and swallows the late rejection", async () => {
    const controller = new AbortController();
    let rejectLate = (_error: Error): void => {};
    const late = new Promise<number>((_resolve, reject) => (rejectLate = reject));
    const waiting = abortable(late, controller.signal);
    const reason = failure("core/closed", "stop");
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    rejectLate(new Error("nobody listens"));
    await expect(abortable(Promise.resolve(1), undefined)).resolves.toBe(1);
    await expect(abortable(Promise.resolve(1), new AbortController().signal)).resolves.toBe(1);
    await expect(abortable(Promise.resolve(1), controller.signal)).rejects.toBe(reason);
    expect(() => throwIfAborted(controller.signal)).toThrow(reason);
    throwIfAborted(undefined);
  });

  test("delay rejects when aborted and takes its timer along", async () => {
    const clock = createVirtualClock();
    const controller = new AbortController();
    const waiting = delay(clock, 1000, controller.signal);
    controller.abort("stop");
    await expect(waiting).rejects.toBe("stop");
    await expect(delay(clock, 1, controller.signal)).rejects.toBe("stop");
    expect(clock.pendingTimers).toBe(0);
  });
});

test("a logger has levels, children and coded errors", () => {
  const entries: LogEntry[] = [];
  const log = createLogger({
    level: "info",
    clock: createVirtualClock({ startMs: 7 }),
    write: (entry) => entries.push(entry),
  });
  log.debug("hidden");
  log
    .child({ device: "a" })
    .warn("refused", { error: failure("round/full", "no place", { detail: { round: 3 } }) });
  expect(entries).toEqual([
    {
      timeMs: 7,
      level: "warn",
      message: "refused",
      fields: { device: "a", error: { code: "round/full", message: "no place", round: 3 } },
    },
  ]);
  silentLogger.child({}).error("nothing");
  expect(systemEnv({ log }).log).toBe(log);
});
