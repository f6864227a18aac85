import { asModelName, asModelVersion, asTaskName } from "@tributary/core";
import { describe, expect, test } from "vitest";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { codeOf } from "./code-of.ts";
import { exampleModel, exampleRound, exampleTask, exampleVersion, exampleVersionState } from "./records.ts";

const DIGITS = asModelName("digits");
const TASK = asTaskName("digits-task");

/** The part of the suite about what versions came from, and the way back to one. */
export function describeVersionStates(current: () => MetadataStore): void {
  describe("version states", () => {
    async function publish(versions: number): Promise<MetadataStore> {
      const store = current();
      await store.models.insert(exampleModel());
      for (let version = 1; version <= versions; version++)
        await store.versions.insert(exampleVersion(version));
      return store;
    }

    test("read back as they were inserted, once for each version", async () => {
      const store = await publish(3);
      const bare = exampleVersionState(2, {
        stepPrecision: "float32",
        aggregate: null,
        before: null,
        after: null,
      });
      await store.versionStates.insert(bare);
      await store.versionStates.insert(exampleVersionState(3));
      expect(await store.versionStates.get(DIGITS, asModelVersion(2))).toEqual(bare);
      expect(await store.versionStates.get(DIGITS, asModelVersion(1))).toBeUndefined();
      expect(await store.versionStates.list(DIGITS)).toEqual([exampleVersionState(3), bare]);
      expect(await codeOf(store.versionStates.insert(bare))).toBe("store/conflict");
      expect(await codeOf(store.versionStates.insert(exampleVersionState(4)))).toBe("store/not-found");
    });

    test("older ones are forgotten, but for those that are kept", async () => {
      const store = await publish(6);
      for (const version of [2, 3, 4, 5, 6]) await store.versionStates.insert(exampleVersionState(version));
      const left = async () => (await store.versionStates.list(DIGITS)).map(({ version }) => version);
      await store.versionStates.forget(DIGITS, asModelVersion(4), [asModelVersion(3), asModelVersion(1)]);
      expect(await left()).toEqual([6, 5, 3]);
      await store.versionStates.forget(asModelName("cats"), asModelVersion(9), []);
      await store.versionStates.forget(DIGITS, asModelVersion(5), []);
      expect(await left()).toEqual([6]);
    });

    test("training goes on from an earlier version: the next one grows out of it, with a number of its own", async () => {
      const store = await publish(4);
      const two = asModelVersion(2);
      await store.models.resetHead(DIGITS, two);
      expect((await store.models.get(DIGITS))?.currentVersion).toBe(2);
      expect((await store.versions.list(DIGITS, { limit: 1 })).map(({ version }) => version)).toEqual([4]);
      expect(await codeOf(store.versions.insert(exampleVersion(5)))).toBe("store/conflict");
      await store.versions.insert(exampleVersion(5, { parentVersion: two }));
      expect((await store.models.get(DIGITS))?.currentVersion).toBe(5);
      expect(await codeOf(store.models.resetHead(DIGITS, asModelVersion(9)))).toBe("store/not-found");
      expect(await codeOf(store.models.resetHead(asModelName("none"), two))).toBe("store/not-found");
      expect((await store.models.get(DIGITS))?.currentVersion).toBe(5);
    });

    test("versions that training left behind are not counted among a task's steps", async () => {
      const store = await publish(1);
      await store.tasks.insert(exampleTask());
      const make = async (number: number, parent: number): Promise<void> => {
        const version = asModelVersion(number);
        await store.rounds.insert(exampleRound(number, { phase: "committed", version, endedAt: 9 }));
        const roundId = exampleRound(number).id;
        const parentVersion = asModelVersion(parent);
        await store.versions.insert(exampleVersion(number, { parentVersion, roundId }));
      };
      await make(2, 1);
      await make(3, 2);
      await make(4, 3);
      expect(await store.rounds.countVersions(TASK, asModelVersion(4))).toBe(3);
      await store.models.resetHead(DIGITS, asModelVersion(2));
      await make(5, 2);
      expect(await store.rounds.countVersions(TASK, asModelVersion(5))).toBe(2);
      expect(await store.rounds.countVersions(TASK, asModelVersion(4))).toBe(3);
    });

    test("a server optimizer begins anew", async () => {
      const store = await publish(2);
      await store.tasks.insert(exampleTask());
      const { state, residual } = exampleVersionState(2).after!;
      await store.optimizers.put({ task: TASK, version: asModelVersion(2), state, residual });
      await store.optimizers.remove(TASK);
      await store.optimizers.remove(TASK);
      expect(await store.optimizers.get(TASK)).toBeUndefined();
    });
  });
}
