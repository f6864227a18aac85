import { asModelName, asModelVersion, asTaskName } from "@tributary/core";
import { describe, expect, test } from "vitest";
import type { MetadataStore, VersionCommit } from "../ports/metadata-store.ts";
import { codeOf } from "./code-of.ts";
import {
  exampleAudit,
  exampleBlob,
  exampleModel,
  exampleRelease,
  exampleRound,
  exampleTask,
  exampleVersion,
  exampleVersionState,
} from "./records.ts";

const DIGITS = asModelName("digits");

/** The part of the suite about releases and the commit of a version. */
export function describeStoredRelease(current: () => MetadataStore): void {
  describe("releases", () => {
    test("metadata reads back byte for byte; targets follow", async () => {
      const store = current();
      const root = { role: "root" as const, version: 1, bytes: new Uint8Array([1, 2, 3]) };
      await store.releases.insert(root);
      expect(await codeOf(store.releases.insert(root))).toBe("store/conflict");
      await store.releases.apply(exampleRelease(1));
      const first = exampleRelease(1).put[0]!;
      await store.releases.apply(exampleRelease(2, { remove: [first.path] }));
      expect(await store.releases.metadata("root", 1)).toEqual(root);
      expect(await store.releases.metadata("snapshot", 1)).toEqual(exampleRelease(1).metadata[1]);
      expect(await store.releases.latest("timestamp")).toEqual(exampleRelease(2).metadata[2]);
      expect(await store.releases.metadata("snapshot", 3)).toBeUndefined();
      expect(await store.releases.targets()).toEqual(exampleRelease(2).put);
      expect(await store.releases.target(first.path)).toBeUndefined();
      expect(await store.releases.isReleased(first.digest)).toBe(true);
      expect(await store.releases.isReleased(exampleBlob("a data set").digest)).toBe(false);
      const same = { ...exampleRelease(2).put[0]!, custom: null };
      await store.releases.apply(exampleRelease(3, { put: [same] }));
      expect(await store.releases.target(same.path)).toEqual(same);
    });

    test("old metadata is forgotten, roots and the newest are not", async () => {
      const store = current();
      const roots = [1, 2, 3].map((version) => ({
        role: "root" as const,
        version,
        bytes: new Uint8Array([version]),
      }));
      for (const root of roots) await store.releases.insert(root);
      for (const number of [1, 2, 3, 4]) await store.releases.apply(exampleRelease(number));
      await store.releases.prune(2);
      for (const root of roots) expect(await store.releases.metadata("root", root.version)).toEqual(root);
      for (const role of ["timestamp", "snapshot", "targets"] as const) {
        expect(await store.releases.metadata(role, 2)).toBeUndefined();
        expect(await store.releases.metadata(role, 3)).toBeDefined();
      }
      await store.releases.prune(0);
      expect((await store.releases.latest("timestamp"))?.version).toBe(4);
      await store.releases.apply(exampleRelease(5));
    });

    test("of two releases signed at the same time one is stored", async () => {
      const store = current();
      await store.releases.apply(exampleRelease(1));
      const results = await Promise.all([
        codeOf(store.releases.apply(exampleRelease(2))),
        codeOf(store.releases.apply(exampleRelease(2))),
      ]);
      expect(results).toHaveLength(2);
      expect(new Set(results)).toEqual(new Set(["store/conflict", undefined]));
      const behind = exampleRelease(4, { expectedTimestampVersion: 1 });
      expect(await codeOf(store.releases.apply(behind))).toBe("store/conflict");
      expect((await store.releases.latest("targets"))?.version).toBe(2);
    });
  });

  describe("commitVersion", () => {
    const first: VersionCommit = {
      model: exampleModel(),
      version: exampleVersion(1),
      release: exampleRelease(1),
      audit: [exampleAudit("model.publish")],
      events: async () => [{ type: "version", data: { version: 1 } }],
    };

    async function openRound(store: MetadataStore, number: number): Promise<void> {
      if (number === 1) {
        await store.commitVersion(first, 1);
        await store.tasks.insert(exampleTask());
      }
      await store.rounds.insert(exampleRound(number));
    }

    function committed(number: number, changes: Partial<VersionCommit> = {}): VersionCommit {
      const round = exampleRound(number, {
        phase: "committed",
        endedAt: 99,
        version: asModelVersion(number + 1),
      });
      return {
        version: exampleVersion(number + 1, {
          roundId: round.id,
          cohort: 3,
          numExamples: 30,
          strategy: { name: "fedAdam", parameters: { learningRate: 0.1 } },
        }),
        round,
        optimizer: {
          task: asTaskName("digits-task"),
          version: asModelVersion(number + 1),
          state: exampleBlob(`state ${number}`),
          residual: exampleBlob(`residual ${number}`),
        },
        state: exampleVersionState(number + 1),
        journal: [{ roundId: round.id, sequence: 1, at: 1, input: { type: "committed" } }],
        release: exampleRelease(number + 1),
        audit: [exampleAudit("round.commit")],
        events: async () => [
          { type: "round", data: { number } },
          { type: "version", data: { version: number + 1 } },
        ],
        ...changes,
      };
    }

    test("stores everything that belongs to a version", async () => {
      const store = current();
      await openRound(store, 1);
      const commit = committed(1);
      const logged = await store.commitVersion(commit, 7);
      expect(logged.map((event) => event.type)).toEqual(["round", "version"]);
      expect(await store.events.after(0, 10)).toHaveLength(3);
      expect((await store.models.get(DIGITS))?.currentVersion).toBe(2);
      expect(await store.versions.get(DIGITS, asModelVersion(2))).toEqual(commit.version);
      expect(await store.rounds.get(commit.round!.id)).toEqual(commit.round);
      expect(await store.optimizers.get(asTaskName("digits-task"))).toEqual(commit.optimizer);
      expect(await store.versionStates.get(DIGITS, asModelVersion(2))).toEqual(commit.state);
      expect(await store.journal.read(commit.round!.id)).toEqual(commit.journal);
      const recorded = await store.audit.read(0, 10);
      expect(recorded.map(({ action, at }) => [action, Date.parse(at)])).toEqual([
        ["model.publish", 1],
        ["round.commit", 7],
      ]);
      expect((await store.releases.latest("timestamp"))?.version).toBe(2);
      expect(await store.rounds.countCommitted(asTaskName("digits-task"))).toBe(1);
    });

    test.each<[string, Partial<VersionCommit>]>([
      ["the release is not the next one", { release: exampleRelease(2, { expectedTimestampVersion: 5 }) }],
      ["the version number is taken", { version: exampleVersion(1) }],
      ["the parent is not current", { version: exampleVersion(9, { parentVersion: asModelVersion(8) }) }],
      [
        "a journal entry is there already",
        {
          journal: [1, 1].map((sequence) => ({
            roundId: exampleRound(1).id,
            sequence,
            at: 1,
            input: null,
          })),
        },
      ],
    ])("stores nothing when %s", async (_, changes) => {
      const store = current();
      await openRound(store, 1);
      const code = await codeOf(store.commitVersion(committed(1, changes), 7));
      expect(["store/conflict", "store/not-found"]).toContain(code);
      expect((await store.models.get(DIGITS))?.currentVersion).toBe(1);
      expect(await store.versions.count(DIGITS)).toBe(1);
      expect((await store.rounds.get(exampleRound(1).id))?.endedAt).toBeNull();
      expect(await store.optimizers.get(asTaskName("digits-task"))).toBeUndefined();
      expect(await store.journal.read(exampleRound(1).id)).toEqual([]);
      expect((await store.releases.latest("timestamp"))?.version).toBe(1);
      expect(await store.events.after(0, 10)).toHaveLength(1);
      expect((await store.audit.head()).size).toBe(1);
    });

    test("a round makes one version", async () => {
      const store = current();
      await openRound(store, 1);
      await store.commitVersion(committed(1), 7);
      expect(await codeOf(store.commitVersion(committed(1), 8))).toBe("store/conflict");
      await store.rounds.insert(exampleRound(2));
      await store.commitVersion(committed(2), 9);
      expect((await store.models.get(DIGITS))?.currentVersion).toBe(3);
    });
  });
}
