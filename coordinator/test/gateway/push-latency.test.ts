import { expect, test } from "vitest";
import { createPushLatency } from "../../src/gateway/push-latency.ts";

test("is unknown until a device was pushed a version", () => {
  const latency = createPushLatency();
  latency.record(0);
  expect(latency.view()).toBeNull();
});

test("is told as median and 99th percentile, within a bin", () => {
  const latency = createPushLatency();
  for (let i = 0; i < 98; i++) latency.record(100);
  latency.record(5_000);
  latency.record(5_000);
  const { count, p50Ms, p99Ms } = latency.view()!;
  expect(count).toBe(100);
  expect(p50Ms / 100).toBeGreaterThan(1 / 1.27);
  expect(p50Ms / 100).toBeLessThan(1.27);
  expect(p99Ms / 5_000).toBeGreaterThan(1 / 1.27);
  expect(p99Ms / 5_000).toBeLessThan(1.27);
});
