import { asDeviceId } from "@tributary/core";
import { expect, test } from "vitest";
import { createVersionRefusals } from "../../src/gateway/version-refusals.ts";

const device = (n: number) => asDeviceId(n.toString(16).padStart(32, "0"));
const refused = (version: number) => ({ model: "digits", version, code: "runtime/self-check-failed" });

test("devices are counted once a version and reason, newest first, and the first is told", () => {
  const refusals = createVersionRefusals();
  expect(refusals.view()).toEqual([]);
  expect(refusals.record(device(1), refused(2))).toBe(true);
  expect(refusals.record(device(1), refused(2))).toBe(false);
  expect(refusals.record(device(2), refused(2))).toBe(false);
  expect(refusals.record(device(2), { ...refused(2), code: "engine/load-failed" })).toBe(true);
  expect(refusals.view()).toEqual([
    { ...refused(2), code: "engine/load-failed", devices: 1 },
    { ...refused(2), devices: 2 },
  ]);
});

test("what hostile devices make up is bounded", () => {
  const refusals = createVersionRefusals();
  for (let version = 1; version <= 200; version++) refusals.record(device(1), refused(version));
  expect(refusals.view()).toHaveLength(64);
  expect(refusals.view()[0]).toMatchObject({ version: 200 });
});
