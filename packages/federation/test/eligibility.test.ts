import { parseTaskSpec, type EligibilityRules } from "@tributary/protocol";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ineligibleReason, type DeviceConditions } from "../src/index.ts";

const rulesOf = (eligibility: object): EligibilityRules =>
  parseTaskSpec({ name: "t", model: "m", eligibility }).eligibility;
const laptop: DeviceConditions = {
  engines: ["ort-webgpu", "ort-wasm"],
  memoryMb: 8_192,
  battery: { charging: false, level: 0.6 },
  network: "unmetered",
  languages: ["de-CH", "en"],
  durableStorage: false,
  tags: ["kiosk"],
};
const silent: DeviceConditions = { ...laptop, memoryMb: null, battery: null, network: null };

test.each<readonly [object, Partial<DeviceConditions>, string | null]>([
  [{ engines: ["ort-webgpu"] }, {}, null],
  [{ engines: ["ort-node"] }, {}, "engine"],
  [{ minMemoryMb: 8_192 }, {}, null],
  [{ minMemoryMb: 8_193 }, {}, "memory"],
  [{ battery: {} }, {}, "battery"],
  [{ battery: {} }, { battery: { charging: true, level: 0.1 } }, null],
  [{ battery: {} }, { battery: { charging: false, level: 1 } }, "battery"],
  [{ battery: {} }, { battery: "none" }, null],
  [{ battery: { minLevel: 0.5 } }, {}, null],
  [{ battery: { minLevel: 0.7 } }, {}, "battery"],
  [{ battery: { charging: false, minLevel: 0.7 } }, { battery: { charging: true, level: 0.6 } }, "battery"],
  [{ network: "unmetered" }, {}, null],
  [{ storage: "durable" }, {}, "storage"],
  [{ storage: "durable" }, { durableStorage: true }, null],
  [{ network: "unmetered" }, { network: "metered" }, "network"],
  [{ localeTags: ["de"] }, {}, null],
  [{ localeTags: ["DE-ch"] }, {}, null],
  [{ localeTags: ["d", "de-AT"] }, {}, "locale"],
  [{ tags: ["kiosk"] }, {}, null],
  [{ tags: ["kiosk", "lobby"] }, {}, "tags"],
])("%j with %j: %s", (rules, conditions, reason) => {
  expect(ineligibleReason(rulesOf(rules), { ...laptop, ...conditions })).toBe(reason);
});

test("what a platform does not tell counts as the rules say", () => {
  for (const [rule, reason] of [
    [{ minMemoryMb: 1 }, "memory"],
    [{ battery: { minLevel: 0 } }, "battery"],
    [{ network: "unmetered" }, "network"],
  ] as const) {
    expect(ineligibleReason(rulesOf(rule), silent)).toBe(reason);
    expect(ineligibleReason(rulesOf({ ...rule, whenUnknown: "eligible" }), silent)).toBeNull();
  }
});

test("property: without rules all are asked; a rule that a device does not meet is met by none that has less", () => {
  const level = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.nat({ max: 100_000 }), fc.boolean(), level, level, (memoryMb, charging, own, minLevel) => {
      const conditions = { ...laptop, memoryMb, battery: { charging, level: own } };
      expect(ineligibleReason(rulesOf({}), conditions)).toBeNull();
      const rules = rulesOf({ battery: { charging: false, minLevel } });
      if (ineligibleReason(rules, conditions) === null) return;
      const less = { ...conditions, battery: { charging, level: own / 2 } };
      expect(ineligibleReason(rules, less)).toBe("battery");
    }),
    { seed: 21, numRuns: 100 },
  );
});
