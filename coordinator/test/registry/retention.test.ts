import { asModelVersion, encodeUtf8, type Digest, type ModelVersion } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { initialRollout } from "@tributary/federation";
import {
  deltaPath,
  MAX_DELTAS,
  parseDeltaPath,
  parseRolloutSpec,
  type RetentionRule,
} from "@tributary/protocol";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import { collectBlobs, UNUSED_KEPT_MS } from "../../src/collect-blobs.ts";
import type { MetadataStore } from "../../src/ports/metadata-store.ts";
import type { TargetRecord } from "../../src/ports/release-records.ts";
import { keptVersions, offeredHeads, RELEASES_BACK, retiredPaths } from "../../src/registry/retention.ts";
import { int8WeightsPath, weightsPath } from "../../src/releases/target-paths.ts";
import {
  exampleBlob,
  exampleModel,
  exampleRollout,
  exampleTask,
  exampleVersion,
} from "../../src/testing/index.ts";
import { model, rooms, type Room } from "../rounds/rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const v = (version: number): ModelVersion => asModelVersion(version);
const rule = (more: Partial<RetentionRule> = {}): RetentionRule => ({
  newest: 20,
  releasedWithinDays: 0,
  deleteFiles: false,
  ...more,
});
const DAY_MS = 86_400_000;

describe("what leaves the release", () => {
  const files = (version: number) => [weightsPath(model, v(version)), int8WeightsPath(model, v(version))];
  const delta = (from: number, to: number) => deltaPath(int8WeightsPath(model, v(to)), from);
  const sets = (kept: readonly number[], heads: readonly number[]) => ({
    kept: new Set(kept),
    heads: new Set(heads),
  });

  test("are the files of versions that do not stay, of this model alone", () => {
    const others = [
      `models/${model}-2/versions/1/weights.safetensors`,
      `models/${model}/stable.json`,
      `models/${model}/versions.withdrawn.json`,
      `models/${model}/versions/not-a-number/x`,
    ];
    const all = [...files(1), ...files(2), ...files(3), ...others];
    expect(retiredPaths(all, model, sets([2, 3], [3]))).toEqual(files(1));
    expect(retiredPaths(all, model, sets([1, 2, 3], [3]))).toEqual([]);
  });

  test("are no deltas on a way from a version that stays to one that a channel points to", () => {
    const all = [1, 2, 3, 4, 5].flatMap(files);
    const deltas = [delta(1, 2), delta(2, 4), delta(3, 4), delta(4, 5), delta(2, 3)];
    const gone = retiredPaths([...all, ...deltas], model, sets([1, 5], [5]));
    // Over 2 and 3 to 4 and 5, whole only what stays.
    expect(gone).toEqual([...files(2), ...files(3), ...files(4)]);
    expect(retiredPaths([...all, ...deltas], model, sets([5], [5]))).toContain(delta(1, 2));
    expect(retiredPaths([...all, ...deltas], model, sets([1, 5], [1]))).toContain(delta(1, 2));
  });

  test("is a delta that is too far away to be of use", () => {
    const chain = Array.from({ length: 12 }, (_, i) => delta(i + 1, i + 2));
    const gone = (from: number) => retiredPaths(chain, model, sets([from, 13], [13]));
    // Those to versions that stay do not leave.
    const isOfOther = (from: number) => (path: string) => !files(from).some((file) => path.startsWith(file));
    const near = 13 - MAX_DELTAS;
    expect(gone(near)).toEqual(chain.slice(0, near - 1).filter(isOfOther(near)));
    expect(gone(near - 1)).toEqual(chain.slice(0, -1).filter(isOfOther(near - 1)));
  });
});

describe("property: whatever is published, released, tried, named and retired", () => {
  type Step =
    | { readonly kind: "publish"; readonly release: boolean }
    | { readonly kind: "move"; readonly channel: string; readonly pick: number }
    | { readonly kind: "name" | "gate" | "try"; readonly pick: number }
    | { readonly kind: "tried" }
    | { readonly kind: "rule"; readonly newest: number; readonly days: number }
    | { readonly kind: "wait"; readonly days: number };
  const pick = fc.nat(100);
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant("publish" as const), release: fc.boolean() }) },
    fc.record({
      kind: fc.constant("move" as const),
      channel: fc.constantFrom("stable", "beta"),
      pick,
    }),
    fc.record({ kind: fc.constantFrom("name" as const, "gate" as const, "try" as const), pick }),
    fc.record({ kind: fc.constant("tried" as const) }),
    fc.record({
      kind: fc.constant("rule" as const),
      newest: fc.integer({ min: 1, max: 5 }),
      days: fc.nat(3),
    }),
    fc.record({ kind: fc.constant("wait" as const), days: fc.nat(3) }),
  );

  /** A model whose store and release are real, and whose files are names. */
  class World {
    readonly store: MetadataStore;
    now = 1_790_000_000_000;
    newest = 0;
    /** Every delta that there ever was. */
    readonly deltas = new Set<string>();
    #timestamp = 0;
    #rule = rule({ newest: 3 });
    /** What left does not come back by another rule. */
    #fewest = 3;

    constructor(store: MetadataStore) {
      this.store = store;
    }

    async offered(): Promise<number[]> {
      const paths = new Set((await this.store.releases.targets()).map(({ path }) => path));
      const all = Array.from({ length: this.newest }, (_, i) => i + 1);
      return all.filter((version) => paths.has(weightsPath(model, v(version))));
    }

    async run(taken: Step): Promise<void> {
      const { store } = this;
      const offered = await this.offered();
      const chosen = (at: number): number => offered[at % offered.length] ?? 1;
      switch (taken.kind) {
        case "wait":
          this.now += taken.days * DAY_MS;
          return;
        case "publish":
          return this.publish(taken.release || this.newest === 0);
        // While versions are tried on its devices, a channel stays where it is.
        case "try": {
          const control = (await store.channels.get(model, "stable"))!.version;
          const version = v(chosen(taken.pick));
          if (version === control || (await this.#isTrying())) return;
          const number = (await store.rollouts.lastNumber(model)) + 1;
          const spec = parseRolloutSpec({ arms: [{ name: "new", version }] });
          const config = { spec, control, floorShare: 0 };
          await this.#apply(await this.#deltasTo(version, "stable"), []);
          await store.rollouts.insert(
            exampleRollout(number, { config, state: initialRollout(config, this.now) }),
          );
          return;
        }
        case "tried": {
          const [rollout] = await store.rollouts.underWay(model);
          if (rollout !== undefined) await store.rollouts.update({ ...rollout, endedAt: this.now });
          return;
        }
        case "move": {
          if (taken.channel === "stable" && (await this.#isTrying())) return;
          const version = chosen(taken.pick);
          const put = await this.#deltasTo(version, taken.channel);
          const moved = { model, name: taken.channel, version: v(version), releasedAt: this.now };
          await this.#apply(put, []);
          await store.channels.move(moved);
          return;
        }
        case "name":
          await store.aliases.move({
            model,
            name: "kept",
            version: v(chosen(taken.pick)),
            movedAt: this.now,
          });
          return;
        case "gate": {
          const { name } = exampleTask();
          const gate = { reference: v(chosen(taken.pick)), candidate: null, failures: 0, last: null };
          await store.tasks.setGate(name, gate);
          return;
        }
        case "rule": {
          this.#rule = rule({ newest: taken.newest, releasedWithinDays: taken.days });
          this.#fewest = Math.min(this.#fewest, taken.newest);
          await store.models.setRetention(model, this.#rule);
          await this.#apply([], await this.#retired([]));
        }
      }
    }

    async #isTrying(): Promise<boolean> {
      return (await this.store.rollouts.underWay(model)).length > 0;
    }

    async publish(asked: boolean): Promise<void> {
      const release = asked && !(await this.#isTrying());
      const version = ++this.newest;
      this.now += 1_000;
      if (version === 1) await this.store.models.insert(exampleModel({ retention: this.#rule }));
      const put = [
        ...[weightsPath, int8WeightsPath].map((path) => target(path(model, v(version)))),
        ...(release ? await this.#deltasTo(version, "stable") : []),
      ];
      const gone = await this.#retired(put, v(version), release);
      await this.store.versions.insert(exampleVersion(version, { releasedAt: release ? this.now : null }));
      if (version === 1) await this.store.tasks.insert(exampleTask({ gate: null }));
      await this.#apply(put, gone);
    }

    async #deltasTo(version: number, name: string): Promise<TargetRecord[]> {
      const before = (await this.store.channels.history(model, { name, limit: 21 })).filter(
        (each) => each.version !== version,
      );
      const bases = RELEASES_BACK.flatMap((back) => before[back - 1]?.version ?? []);
      const paths = bases.map((from) => deltaPath(int8WeightsPath(model, v(version)), from));
      for (const path of paths) this.deltas.add(path);
      return paths.map(target);
    }

    async #retired(put: readonly TargetRecord[], next?: ModelVersion, released = false): Promise<string[]> {
      const kept = await keptVersions(this.store, model, {
        now: this.now,
        ...(next === undefined ? {} : { next }),
      });
      const heads = await offeredHeads(this.store, model);
      const paths = [...(await this.store.releases.targets()), ...put].map(({ path }) => path);
      return retiredPaths(paths, model, {
        kept: new Set(kept.keys()),
        heads: new Set(released ? [...heads, next!] : heads),
      });
    }

    async #apply(put: readonly TargetRecord[], remove: readonly string[]): Promise<void> {
      const before = this.#timestamp;
      this.#timestamp += 1;
      await this.store.releases.apply({
        expectedTimestampVersion: before === 0 ? null : before,
        metadata: [{ role: "timestamp", version: this.#timestamp, bytes: encodeUtf8("{}") }],
        put,
        remove,
        roles: [],
        drafts: [],
      });
    }

    async check(): Promise<void> {
      const paths = new Set((await this.store.releases.targets()).map(({ path }) => path));
      const offered = await this.offered();
      const heads = await offeredHeads(this.store, model);
      // Whole, from anywhere.
      for (const head of heads)
        for (const path of [weightsPath, int8WeightsPath]) expect(paths).toContain(path(model, head));
      const named = (await this.store.aliases.list(model)).map(({ version }) => version);
      for (const version of named) expect(offered).toContain(version);
      // And by deltas in as few steps as if nothing had ever left.
      for (const from of offered)
        for (const head of heads)
          expect(stepsBetween(paths, from, head)).toBe(stepsBetween(this.deltas, from, head));
      const newest = Math.min(this.#fewest, this.newest);
      expect(offered.filter((version) => version > this.newest - newest)).toHaveLength(newest);
    }
  }

  function target(path: string): TargetRecord {
    return { role: "digits", path, ...exampleBlob(path), custom: null };
  }

  function stepsBetween(paths: Iterable<string>, from: number, to: number): number | undefined {
    const edges = Array.from(paths).flatMap((path) => parseDeltaPath(path) ?? []);
    let reached = new Set([from]);
    for (let steps = 0; steps <= MAX_DELTAS; steps++) {
      if (reached.has(to)) return steps;
      reached = new Set(edges.flatMap((edge) => (reached.has(edge.from) ? [edge.version] : [])));
    }
    return undefined;
  }

  test("a device on a version that is still offered can go to what any channel points to, and any rollout tries", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const world = new World(await openSqlMetadataStore({ path: ":memory:" }));
        try {
          await world.publish(true);
          for (const each of steps) {
            await world.run(each);
            if (each.kind === "publish" || each.kind === "rule") await world.check();
          }
        } finally {
          await world.store.close();
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe("a rule", () => {
  const offered = async (room: Room): Promise<number[]> =>
    (await room.registry.retention(model)).offered.map(({ version }) => version);

  test("is followed at once and by every version to come; what is needed stays, and says why", async () => {
    const room = await open();
    for (let seed = 1; seed <= 6; seed++) await room.registry.publish(model, buildLinear({ seed }));
    expect((await room.registry.retention(model)).rule).toEqual(rule());
    expect(await offered(room)).toEqual([6, 5, 4, 3, 2, 1]);
    await room.registry.release(model, v(2), { channel: "beta" });
    await room.registry.moveAlias(model, "kept", v(3));
    const preview = { leaving: [5, 4, 1], filesDeletedOf: [] };
    expect(await room.registry.previewRetention(model, rule({ newest: 1 }))).toEqual(preview);
    const view = await room.registry.setRetention(model, rule({ newest: 1 }));
    expect(view).toEqual({
      rule: rule({ newest: 1 }),
      offered: [
        { version: 6, reasons: ["newest", "training", "channel", "alias", "delta-base"] },
        { version: 3, reasons: ["alias"] },
        { version: 2, reasons: ["channel", "delta-base"] },
      ],
    });
    await room.registry.publish(model, buildLinear({ seed: 7 }));
    expect(await offered(room)).toEqual([7, 6, 3, 2]);
    // What stable pointed to before it leaves with the next version.
    expect((await room.registry.retention(model)).offered[1]).toEqual({ version: 6, reasons: [] });
    await expect(room.registry.release(model, v(4))).rejects.toMatchObject({
      code: "coordinator/version-retired",
    });
    await room.registry.setRetention(model, rule({ newest: 1, releasedWithinDays: 1 }));
    await room.registry.publish(model, buildLinear({ seed: 8 }));
    expect(await offered(room)).toEqual([8, 7, 6, 3, 2]);
    const records = await room.store.audit.list({ action: "model.retention" }, { limit: 10 });
    expect(records.map(({ detail }) => detail)).toEqual([
      rule({ newest: 1, releasedWithinDays: 1 }),
      rule({ newest: 1 }),
    ]);
  });

  test("has the files of what left deleted where it says so, and releases go on without them", async () => {
    const room = await open();
    for (let seed = 1; seed <= 3; seed++) await room.registry.publish(model, buildLinear({ seed }));
    const weights = async (version: number): Promise<Digest> =>
      (await room.store.versions.get(model, v(version)))!.weights.digest;
    const there = async (version: number) => (await room.blobs.stat(await weights(version))) !== undefined;
    const collect = () =>
      collectBlobs({ store: room.store, blobs: room.blobs, now: Date.now() + UNUSED_KEPT_MS + 60_000 });
    await room.registry.setRetention(model, rule({ newest: 1 }));
    await collect();
    expect([await there(1), await there(2), await there(3)]).toEqual([true, true, true]);
    const deleting = rule({ newest: 1, deleteFiles: true });
    // They had left before.
    expect(await room.registry.previewRetention(model, deleting)).toEqual({
      leaving: [],
      filesDeletedOf: [2, 1],
    });
    await room.registry.setRetention(model, deleting);
    expect((await room.registry.previewRetention(model, deleting)).filesDeletedOf).toEqual([]);
    await collect();
    expect([await there(1), await there(3)]).toEqual([false, true]);
    await room.registry.publish(model, buildLinear({ seed: 4 }));
    await room.registry.release(model, v(3));
    for (const { digest } of await room.store.releases.targets())
      expect(await room.blobs.stat(digest)).toBeDefined();
  });
});
