import { asModelName, asModelVersion } from "@tributary/core";
import { initialRollout, type RolloutConfig } from "@tributary/federation";
import { parseRolloutSpec } from "@tributary/protocol";
import { describe, expect, test } from "vitest";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { RolloutRecord, WatchedDeviceRecord } from "../ports/rollout-records.ts";
import { codeOf } from "./code-of.ts";
import { exampleDevice, exampleModel } from "./records.ts";

const DIGITS = asModelName("digits");

export function exampleRollout(number: number, changes: Partial<RolloutRecord> = {}): RolloutRecord {
  const spec = parseRolloutSpec({ arms: [{ name: "new", version: 2 }] });
  const config: RolloutConfig = { spec, control: asModelVersion(1), floorShare: 0 };
  return {
    model: DIGITS,
    rollout: `stable-${number}`,
    channel: "stable",
    number,
    config,
    state: initialRollout(config, 5),
    evidence: { toldBefore: 5, round: null, cohorts: {}, waiting: {}, reference: null },
    createdAt: 5,
    endedAt: null,
    ...changes,
  };
}

/** Rollouts, whom they watch, and withdrawn versions; part of the metadata store's suite. */
export function describeStoredRollouts(opened: () => MetadataStore): void {
  describe("rollouts", () => {
    const published = async (): Promise<MetadataStore> => {
      const store = opened();
      await store.models.insert(exampleModel());
      return store;
    };

    test("one of a channel is under way at a time, a name is used once, and what has ended stays as it was", async () => {
      const { rollouts } = await published();
      const first = exampleRollout(1);
      await rollouts.insert(first);
      expect(await rollouts.get(DIGITS, "stable-1")).toEqual(first);
      expect(await rollouts.underWay()).toEqual([first]);
      expect(await codeOf(rollouts.insert(exampleRollout(2)))).toBe("store/conflict");
      const other = exampleRollout(2, { rollout: "beta-2", channel: "beta" });
      await rollouts.insert(other);
      expect(await rollouts.underWay(DIGITS)).toEqual([first, other]);
      expect(await rollouts.underWay(asModelName("cats"))).toEqual([]);
      const ended = { ...first, evidence: { ...first.evidence, toldBefore: 9 }, endedAt: 9 };
      await rollouts.update(ended);
      expect(await codeOf(rollouts.update(first))).toBe("store/conflict");
      expect(await codeOf(rollouts.insert(exampleRollout(3, { rollout: "stable-1" })))).toBe(
        "store/conflict",
      );
      const next = exampleRollout(3);
      await rollouts.insert(next);
      expect(await rollouts.list(DIGITS)).toEqual([next, other, ended]);
      expect(await rollouts.list(DIGITS, { limit: 1 })).toEqual([next]);
      expect(await rollouts.lastNumber(DIGITS)).toBe(3);
      expect(await rollouts.lastNumber(asModelName("cats"))).toBe(0);
    });

    test("whom a rollout watches is kept by version and device, and forgotten with the device, and at the end", async () => {
      const store = await published();
      const { rollouts } = store;
      const watched = (index: number, changes: Partial<WatchedDeviceRecord> = {}): WatchedDeviceRecord => ({
        model: DIGITS,
        rollout: "stable-1",
        deviceId: exampleDevice(index).deviceId,
        version: asModelVersion(1),
        openedAt: 7,
        baseline: null,
        countedAt: null,
        ...changes,
      });
      await rollouts.putWatched([watched(1), watched(2, { baseline: [1, 2] })]);
      await rollouts.putWatched([watched(1, { countedAt: 8 }), watched(1, { version: asModelVersion(2) })]);
      await rollouts.putWatched([watched(3, { rollout: "beta-2" })]);
      const first = exampleRollout(1);
      const expected = [watched(1, { countedAt: 8 }), watched(2, { baseline: [1, 2] })];
      expect(await rollouts.watched(first)).toEqual([
        ...expected.toSorted((a, b) => (a.deviceId < b.deviceId ? -1 : 1)),
        watched(1, { version: asModelVersion(2) }),
      ]);
      await store.devices.enrol(exampleDevice(1));
      await store.devices.erase(exampleDevice(1).deviceId, exampleDevice(9).deviceId);
      expect(await rollouts.watched(first)).toEqual([watched(2, { baseline: [1, 2] })]);
      await rollouts.forgetWatched(first);
      expect(await rollouts.watched(first)).toEqual([]);
      expect(await rollouts.watched({ model: DIGITS, rollout: "beta-2" })).toHaveLength(1);
    });

    test("a version is withdrawn once", async () => {
      const { withdrawals } = await published();
      const of = (version: number) => ({
        model: DIGITS,
        version: asModelVersion(version),
        reason: "it answers nonsense",
        at: version,
      });
      await withdrawals.insert(of(2));
      await withdrawals.insert(of(3));
      expect(await codeOf(withdrawals.insert(of(2)))).toBe("store/conflict");
      expect(await withdrawals.get(DIGITS, asModelVersion(2))).toEqual(of(2));
      expect(await withdrawals.get(DIGITS, asModelVersion(1))).toBeUndefined();
      expect(await withdrawals.list(DIGITS)).toEqual([of(3), of(2)]);
      expect(await codeOf(withdrawals.insert({ ...of(4), model: asModelName("none") }))).toBe(
        "store/not-found",
      );
    });

    test("what devices told of a version since a time", async () => {
      const { deviceHealth } = await published();
      const told = (index: number, at: number, version = 1) => ({
        deviceId: exampleDevice(index).deviceId,
        model: DIGITS,
        version: asModelVersion(version),
        population: exampleDevice(index).population,
        engine: "ort-wasm",
        counts: [1],
        sessions: [],
        firstAt: 1,
        at,
      });
      for (const each of [told(1, 5), told(2, 6), told(3, 7), told(4, 8, 2)]) await deviceHealth.put(each, 8);
      const found = await deviceHealth.toldSince(DIGITS, asModelVersion(1), 6);
      expect(new Set(found.map(({ at }) => at))).toEqual(new Set([6, 7]));
    });
  });
}
