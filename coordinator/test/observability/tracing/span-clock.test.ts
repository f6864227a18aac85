import { afterEach, expect, test, vi } from "vitest";
import { monotonicMs, spanTime } from "../../../src/observability/tracing/span-clock.ts";

afterEach(() => void vi.useRealTimers());

test("spans' times never go back, and tell microseconds apart", () => {
  const times = Array.from({ length: 2000 }, () => spanTime());
  for (const [i, time] of times.entries()) expect(time).toBeGreaterThanOrEqual(times[i - 1] ?? 0);
  expect(times.some((time) => time % 1 !== 0)).toBe(true);
  expect(Math.abs(Date.now() - spanTime())).toBeLessThan(1500);
});

test("a reading taken before, as in a thread, has its place between those around it", () => {
  const before = spanTime();
  const reading = monotonicMs();
  const after = spanTime();
  expect(spanTime(reading)).toBeGreaterThanOrEqual(before);
  expect(spanTime(reading)).toBeLessThanOrEqual(after);
});

test("after the wall clock was set, or the machine slept, spans follow it", () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const later = Date.now() + 3_600_000;
  vi.setSystemTime(later);
  expect(Math.abs(spanTime() - later)).toBeLessThan(1500);
  vi.setSystemTime(later - 7_200_000);
  expect(Math.abs(spanTime() - (later - 7_200_000))).toBeLessThan(1500);
});
