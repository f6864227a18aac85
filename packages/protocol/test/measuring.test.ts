import { asDeviceId, asTaskName, encodeHex, seededRandom, sha256, encodeUtf8 } from "@tributary/core";
import { isHeldOut, measuredWeights, parseMeasurementPlan, parseTaskSpec } from "@tributary/protocol";
import { describe, expect, test } from "vitest";

const task = asTaskName("digits");
const random = seededRandom("held out");
const deviceId = () =>
  asDeviceId(encodeHex(Uint8Array.from({ length: 16 }, () => Math.floor(random.next() * 256))));

describe("held-out devices", () => {
  test("are as many as the share says, and the same with every larger share", () => {
    const devices = Array.from({ length: 4000 }, deviceId);
    const held = devices.filter((device) => isHeldOut(device, task, 0.2));
    // Five standard deviations of a binomial around 800.
    expect(Math.abs(held.length - 800)).toBeLessThan(5 * Math.sqrt(4000 * 0.2 * 0.8));
    expect(held.every((device) => isHeldOut(device, task, 0.3))).toBe(true);
    expect(devices.some((device) => isHeldOut(device, task, 0))).toBe(false);
    expect(devices.every((device) => isHeldOut(device, task, 1))).toBe(true);
  });

  test("are others in another task", () => {
    const devices = Array.from({ length: 400 }, deviceId);
    const both = devices.filter((device) =>
      [task, asTaskName("other")].every((name) => isHeldOut(device, name, 0.5)),
    );
    expect(both.length).toBeGreaterThan(60);
    expect(both.length).toBeLessThan(140);
  });

  test("follow from the bytes that SPEC.md names", () => {
    const device = asDeviceId("00112233445566778899aabbccddeeff");
    // SHA-256("tributary-held-out-v1" || 0x00112233...ff || "digits") begins with this.
    const fraction = Number.parseInt("e329c58e24d2", 16) / 2 ** 48;
    expect(isHeldOut(device, task, fraction)).toBe(false);
    expect(isHeldOut(device, task, fraction + 2 ** -48)).toBe(true);
  });
});

const base = { name: "digits", model: "digits", secureAggregation: { mode: "off" } };
const gate = { minimumDevices: 3 };

describe("a task's document", () => {
  test("trains, and releases every version, unless it says otherwise", () => {
    expect(parseTaskSpec(base)).toMatchObject({
      kind: "train",
      release: "every",
      gate: null,
      candidate: null,
      telemetry: [],
    });
    expect(parseTaskSpec({ ...base, gate }).gate).toEqual({
      metric: "loss",
      heldOutShare: 0.1,
      requiredImprovement: 0,
      confidence: 0.95,
      patience: 5,
      minimumDevices: 3,
    });
  });

  test.each([
    ["/release", { release: "on-gate" }],
    ["/release", { kind: "evaluate", rounds: 1, release: "manual" }],
    ["/gate", { kind: "telemetry", rounds: 1, gate }],
    ["/candidate", { candidate: "newest" }],
    ["/telemetry", { kind: "evaluate", rounds: 1, telemetry: ["errors"] }],
    ["/pauseBetweenRoundsMs", { kind: "telemetry" }],
    ["/gate/minimumDevices", { gate, secureAggregation: { mode: "on" } }],
    ["/gate/heldOutShare", { gate: { heldOutShare: 0.6 } }],
    ["/gate/confidence", { gate: { confidence: 1 } }],
  ])("with a fault at %s is refused there", (path, more) => {
    expect(() => parseTaskSpec({ ...base, ...more })).toThrow(
      expect.objectContaining({
        code: "protocol/invalid-document",
        detail: expect.objectContaining({ path }),
      }),
    );
  });
});

describe("a plan of measurements", () => {
  const runs = { name: "runs", kind: "counter", values: "integer", minimum: 0, maximum: 100 };
  const plan = (metrics: readonly object[]) =>
    encodeUtf8(
      JSON.stringify({
        formatVersion: 1,
        task: "t",
        model: "m",
        population: "default",
        kind: "telemetry",
        metrics,
      }),
    );

  test("is read", () => {
    expect(parseMeasurementPlan(plan([runs])).metrics).toEqual([runs]);
  });

  test.each([
    ["two metrics of one name", [runs, runs]],
    [
      "edges that do not ascend",
      [{ name: "h", kind: "histogram", edges: [0, 2, 2], spacing: "linear", maximum: 9 }],
    ],
    ["no metrics", []],
    ["a counter without bounds", [{ name: "runs", kind: "counter", values: "integer" }]],
  ])("with %s is refused", (_, metrics) => {
    expect(() => parseMeasurementPlan(plan(metrics))).toThrow(
      expect.objectContaining({ code: "protocol/invalid-document" }),
    );
  });
});

test("masks bind the candidate too, where there is one", () => {
  const [current, candidate] = [sha256(encodeUtf8("current")), sha256(encodeUtf8("candidate"))];
  expect(measuredWeights(current, undefined)).toBe(current);
  const both = measuredWeights(current, candidate);
  expect(new Set([both, current, candidate, measuredWeights(candidate, current)]).size).toBe(4);
});
