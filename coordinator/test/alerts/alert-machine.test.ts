import { parseAlertRule } from "@tributary/protocol";
import { asModelName } from "@tributary/core";
import fc from "fast-check";
import { expect, test } from "vitest";
import { advanceAlerts } from "../../src/alerts/alert-machine.ts";
import type { Finding } from "../../src/alerts/finding.ts";
import type { AlertRecord } from "../../src/ports/alert-records.ts";

const MINUTE = 60_000;
const rule = parseAlertRule({ name: "disk", kind: "disk-almost-full", forMs: 10 * MINUTE });

function finding(model: string, value = 1): Finding {
  return {
    subject: { model: asModelName(model) },
    value,
    summary: `${model}: ${value}`,
    advice: "free some",
  };
}

/** Stores what a look changes, as the database would. */
class Kept {
  #alerts: AlertRecord[] = [];
  #next = 1;

  get open(): AlertRecord[] {
    return this.#alerts.filter(({ resolvedAt }) => resolvedAt === null);
  }

  get all(): readonly AlertRecord[] {
    return this.#alerts;
  }

  look(findings: readonly Finding[], now: number, by = rule) {
    const changes = advanceAlerts(by, this.open, findings, now);
    const gone = new Set(changes.remove.map(({ id }) => id));
    const updated = new Map(changes.update.map((each) => [each.id, each]));
    this.#alerts = this.#alerts.filter(({ id }) => !gone.has(id)).map((each) => updated.get(each.id) ?? each);
    for (const alert of changes.insert) this.#alerts.push({ ...alert, id: this.#next++ });
    return changes;
  }
}

test("what holds is pending for as long as the rule says, fires, and resolves when it holds no more", () => {
  const kept = new Kept();
  kept.look([finding("digits")], 0);
  expect(kept.open).toMatchObject([{ state: "pending", pendingSince: 0, firingSince: null, told: null }]);
  kept.look([finding("digits")], 10 * MINUTE - 1);
  expect(kept.open[0]?.state).toBe("pending");
  kept.look([finding("digits", 2)], 10 * MINUTE);
  expect(kept.open).toMatchObject([
    { state: "firing", firingSince: 10 * MINUTE, summary: "digits: 2", value: 2, threshold: 0.05 },
  ]);
  // The same again is no news.
  expect(kept.look([finding("digits", 2)], 11 * MINUTE)).toEqual({ insert: [], update: [], remove: [] });
  kept.look([], 12 * MINUTE);
  expect(kept.all).toMatchObject([{ state: "resolved", resolvedAt: 12 * MINUTE }]);
  kept.look([finding("digits")], 13 * MINUTE);
  expect(kept.all.map(({ id, state }) => [id, state])).toEqual([
    [1, "resolved"],
    [2, "pending"],
  ]);
});

test("what held for a moment leaves nothing, and a rule without a time fires at once", () => {
  const kept = new Kept();
  kept.look([finding("digits")], 0);
  kept.look([], 1);
  expect(kept.all).toEqual([]);
  const atOnce = { ...rule, forMs: 0, severity: "critical" as const, advice: "call somebody" };
  kept.look([finding("digits"), finding("cats")], 2, atOnce);
  expect(kept.open).toMatchObject([
    { state: "firing", firingSince: 2, severity: "critical", advice: "call somebody" },
    { state: "firing" },
  ]);
});

test("whatever is found and when: one of each is open, none fires early, and what has resolved stays so", () => {
  const look = fc.record({
    afterMs: fc.integer({ min: 0, max: 8 * MINUTE }),
    found: fc.subarray(["digits", "cats", "words"]),
  });
  fc.assert(
    fc.property(
      fc.array(look, { maxLength: 40 }),
      fc.constantFrom(0, 5 * MINUTE, 10 * MINUTE),
      (looks, forMs) => {
        const kept = new Kept();
        let now = 0;
        const since = new Map<string, number>();
        for (const { afterMs, found } of looks) {
          now += afterMs;
          const before = kept.all.filter(({ state }) => state === "resolved");
          kept.look(
            found.map((name) => finding(name)),
            now,
            { ...rule, forMs },
          );
          for (const name of ["digits", "cats", "words"])
            if (!found.includes(name)) since.delete(name);
            else if (!since.has(name)) since.set(name, now);
          const open = new Map(kept.open.map((alert) => [String(alert.subject.model), alert]));
          expect(open.size).toBe(kept.open.length);
          expect([...open.keys()].toSorted()).toEqual(found.toSorted());
          for (const [name, alert] of open)
            expect(alert.state).toBe(now - since.get(name)! >= forMs ? "firing" : "pending");
          expect(kept.all.filter(({ state }) => state === "resolved")).toEqual(
            expect.arrayContaining(before),
          );
          expect(
            kept.all.every(({ state, firingSince }) => (state === "pending") === (firingSince === null)),
          ).toBe(true);
        }
      },
    ),
    { numRuns: 200 },
  );
});
