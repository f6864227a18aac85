import { seededRandom } from "@tributary/core";
import { expect, test } from "vitest";
import { FLEET_DEFAULTS, fleetModel } from "../../src/index.ts";
import { dayCurve } from "../../src/fleet-model/availability.ts";
import { createClients } from "../../src/fleet-model/clients.ts";
import { createLottery } from "../../src/fleet-model/lottery.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 5);

test("the share of reachable devices is that of the chain, and what is said of a device holds until then", () => {
  const clients = createClients("share", fleetModel({ onlineMinutes: 30, offlineMinutes: 90 }));
  let online = 0;
  const count = 3000;
  for (let client = 0; client < count; client++) {
    const nowMs = START + 7.3 * HOUR;
    const { online: now, untilMs } = clients.reachability(client, nowMs);
    if (now) online += 1;
    expect(untilMs).toBeGreaterThan(nowMs);
    expect(clients.reachability(client, (nowMs + untilMs) / 2).online).toBe(now);
  }
  expect(online / count).toBeGreaterThan(0.22);
  expect(online / count).toBeLessThan(0.28);
});

test("with a day curve more devices come at its best hour than at its worst, each in its own time zone", () => {
  expect(dayCurve(20, 4) / dayCurve(8, 4)).toBeCloseTo(4, 9);
  const mean = Array.from({ length: 24 }, (_, hour) => dayCurve(hour, 4)).reduce((a, b) => a + b, 0) / 24;
  expect(mean).toBeCloseTo(1, 9);
  const clients = createClients("curve", fleetModel({ onlineMinutes: 5, offlineMinutes: 60, daySwing: 9 }));
  const onlineAt = (localHour: number): number => {
    let online = 0;
    for (let client = 0; client < 1500; client++) {
      const zone = clients.randomOf(client, "time zone").next() * 24;
      const nowMs = START + (((localHour - zone + 48) % 24) + 24) * HOUR;
      if (clients.reachability(client, nowMs).online) online += 1;
    }
    return online;
  };
  expect(onlineAt(20)).toBeGreaterThan(3 * onlineAt(8));
});

test("a device is always the same, and speeds have the median that was asked for", () => {
  const clients = createClients("traits", fleetModel({ stepMs: 40, stepSigma: 0.5 }));
  expect(clients.traitsOf(123_456)).toEqual(clients.traitsOf(123_456));
  expect(clients.deviceOf(1)).not.toBe(clients.deviceOf(2));
  const speeds = Array.from({ length: 1001 }, (_, client) => clients.traitsOf(client).stepMs);
  const median = speeds.toSorted((a, b) => a - b)[500]!;
  expect(median).toBeGreaterThan(36);
  expect(median).toBeLessThan(44);
});

test("a lottery draws each number once", () => {
  const draw = createLottery(100, seededRandom(1));
  const drawn = Array.from({ length: 100 }, () => draw()!);
  expect(new Set(drawn).size).toBe(100);
  expect(Math.min(...drawn)).toBe(0);
  expect(Math.max(...drawn)).toBe(99);
  expect(draw()).toBeUndefined();
  expect(drawn).not.toEqual(drawn.toSorted((a, b) => a - b));
});

test("a parameter out of its range is refused by name", () => {
  expect(fleetModel({})).toEqual(FLEET_DEFAULTS);
  expect(() => fleetModel({ dropout: 1 })).toThrow(/dropout must be from 0 to 0.95, got 1/);
  expect(() => fleetModel({ latencyMs: Number.NaN })).toThrow(
    expect.objectContaining({ code: "simulator/invalid-options" }),
  );
});
