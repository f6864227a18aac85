import { asModelName, asModelVersion, asRoundId, asTaskName, sha256 } from "@tributary/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BufferedCohortRecord } from "../ports/round-records.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { codeOf } from "./code-of.ts";
import {
  describeStoredAlerts,
  describeStoredNotifications,
  describeStoredPolicies,
} from "./describe-stored-alerts.ts";
import { describeStoredAccess } from "./describe-stored-access.ts";
import { describeIdempotentRequests } from "./describe-idempotent-requests.ts";
import { describeStoredAliases } from "./describe-stored-aliases.ts";
import { describeStoredAudit } from "./describe-stored-audit.ts";
import { describeStoredChannels } from "./describe-stored-channels.ts";
import { describeStoredFleet } from "./describe-stored-fleet.ts";
import { describeStoredHealth } from "./describe-stored-health.ts";
import { describeStoredLists } from "./describe-stored-lists.ts";
import { describeStoredMeasurements } from "./describe-stored-measurements.ts";
import { describeStoredRelease } from "./describe-stored-release.ts";
import { describeStoredRollouts } from "./describe-stored-rollouts.ts";
import { describeStoredSearch } from "./describe-stored-search.ts";
import { describeVersionStates } from "./describe-version-states.ts";
import {
  exampleBlob,
  exampleDevice,
  exampleModel,
  exampleRelease,
  exampleRound,
  exampleTask,
  exampleVersion,
} from "./records.ts";

/** One store under test. */
export interface MetadataStoreFixture {
  readonly store: MetadataStore;
  /** Opens the same data again, after the first one was closed. Absent: the data ends with the store. */
  readonly reopen?: () => Promise<MetadataStore>;
  readonly dispose?: () => Promise<void>;
}

/** Opens a new, empty store. */
export type OpenMetadataStore = () => Promise<MetadataStoreFixture>;

const DIGITS = asModelName("digits");
const TASK = asTaskName("digits-task");

/** The conformance suite of `MetadataStore`: every adapter's tests call it. */
export function describeMetadataStore(name: string, open: OpenMetadataStore): void {
  describe(`MetadataStore: ${name}`, () => {
    let fixture: MetadataStoreFixture;
    let store: MetadataStore;
    beforeEach(async () => {
      fixture = await open();
      store = fixture.store;
    });
    afterEach(async () => {
      await store.close();
      await fixture.dispose?.();
    });

    async function publish(): Promise<void> {
      await store.models.insert(exampleModel());
      await store.versions.insert(exampleVersion(1));
    }

    test("models read back as they were inserted; a name is taken once", async () => {
      await store.models.insert(exampleModel());
      await store.models.insert(exampleModel({ name: asModelName("cats"), labels: null, processing: null }));
      expect(await store.models.get(DIGITS)).toEqual(exampleModel());
      expect((await store.models.list()).map((model) => model.name)).toEqual(["cats", "digits"]);
      expect(await store.models.get(asModelName("none"))).toBeUndefined();
      expect(await codeOf(store.models.insert(exampleModel()))).toBe("store/conflict");
      const notes = { intendedUse: "digits", limitations: "", licence: "MIT", contacts: ["a@b.example"] };
      await store.models.setCardNotes(DIGITS, { notes, updatedAt: 7 });
      const noted = exampleModel({ cardNotes: { notes, updatedAt: 7 } });
      expect(await store.models.get(DIGITS)).toEqual(noted);
      const rule = { newest: 3, releasedWithinDays: 7, deleteFiles: true };
      await store.models.setRetention(DIGITS, rule);
      expect(await store.models.get(DIGITS)).toEqual({ ...noted, retention: rule });
      expect(await codeOf(store.models.setRetention(asModelName("none"), rule))).toBe("store/not-found");
      const nobody = store.models.setCardNotes(asModelName("none"), noted.cardNotes!);
      expect(await codeOf(nobody)).toBe("store/not-found");
    });

    test("a version becomes current, and its number is never used twice", async () => {
      await publish();
      await store.versions.insert(exampleVersion(2));
      expect(await store.versions.get(DIGITS, asModelVersion(2))).toEqual(exampleVersion(2));
      expect((await store.models.get(DIGITS))?.currentVersion).toBe(2);
      expect(await codeOf(store.versions.insert(exampleVersion(2)))).toBe("store/conflict");
      expect((await store.versions.list(DIGITS)).map((row) => row.version)).toEqual([2, 1]);
      expect((await store.versions.list(DIGITS, { limit: 1 })).map((row) => row.version)).toEqual([2]);
      const older = await store.versions.list(DIGITS, { before: asModelVersion(2) });
      expect(older.map((row) => row.version)).toEqual([1]);
      expect(await store.versions.count(DIGITS)).toBe(2);
    });

    test("a version whose parent is not current is refused, and leaves nothing", async () => {
      await publish();
      await store.versions.insert(exampleVersion(2));
      const late = exampleVersion(3, { parentVersion: asModelVersion(1) });
      expect(await codeOf(store.versions.insert(late))).toBe("store/conflict");
      expect(await store.versions.count(DIGITS)).toBe(2);
      expect((await store.models.get(DIGITS))?.currentVersion).toBe(2);
    });

    test("a version of a model that is not there is refused", async () => {
      expect(await codeOf(store.versions.insert(exampleVersion(1)))).toBe("store/not-found");
    });

    test("tasks keep their spec and change state", async () => {
      expect(await codeOf(store.tasks.insert(exampleTask()))).toBe("store/not-found");
      await publish();
      await store.tasks.insert(exampleTask());
      expect(await store.tasks.get(TASK)).toEqual(exampleTask());
      expect(await codeOf(store.tasks.insert(exampleTask()))).toBe("store/conflict");
      const reason = { code: "operator", message: "an operator paused it" } as const;
      await store.tasks.setState(TASK, "paused", { reason });
      expect(await store.tasks.list()).toMatchObject([{ state: "paused", reason }]);
      await store.tasks.setState(TASK, "running", { activeSince: 7 });
      expect(await store.tasks.get(TASK)).toMatchObject({ state: "running", reason: null, activeSince: 7 });
      const spec = { ...exampleTask().spec, rounds: 12 };
      await store.tasks.setSpec(TASK, spec);
      expect((await store.tasks.get(TASK))?.spec).toEqual(spec);
      const plan = { ...exampleTask().plan, number: 2, target: "plans/task/2.json" };
      await store.tasks.setPlan(TASK, plan, null);
      expect(await store.tasks.get(TASK)).toEqual({ ...exampleTask(), activeSince: 7, spec, plan });
      expect(await codeOf(store.tasks.setPlan(asTaskName("none"), plan, null))).toBe("store/not-found");
      expect(await codeOf(store.tasks.setState(asTaskName("none"), "paused"))).toBe("store/not-found");
    });

    test("the last participation of each device is kept, the newest rounds first", async () => {
      await publish();
      await store.tasks.insert(exampleTask());
      const of = (index: number, round: number) => ({
        task: TASK,
        deviceId: exampleDevice(index).deviceId,
        round,
        at: 1_000 + round,
      });
      await store.participations.put([of(1, 1), of(2, 1), of(3, 2)]);
      await store.participations.put([of(1, 3)]);
      expect(await store.participations.list(TASK, 10)).toEqual([of(1, 3), of(3, 2), of(2, 1)]);
      expect(await store.participations.list(TASK, 1)).toEqual([of(1, 3)]);
      expect(await store.participations.list(asTaskName("none"), 10)).toEqual([]);
    });

    describe("rounds", () => {
      beforeEach(async () => {
        await publish();
        await store.tasks.insert(exampleTask());
      });

      test("a round is updated while it is open, and not afterwards", async () => {
        await store.rounds.insert(exampleRound(1));
        const later = exampleRound(1, { phase: "reporting", ready: 3, cohort: 3, trainLoss: 0.25 });
        await store.rounds.update(later);
        expect(await store.rounds.get(later.id)).toEqual(later);
        expect((await store.rounds.open()).map((round) => round.number)).toEqual([1]);
        const ended = { ...later, phase: "abandoned" as const, endedAt: 1_790_000_070_000 };
        await store.rounds.update(ended);
        expect(await store.rounds.open()).toEqual([]);
        expect(await codeOf(store.rounds.update(later))).toBe("store/conflict");
        expect(await codeOf(store.rounds.update(exampleRound(9)))).toBe("store/not-found");
      });

      test("ids and numbers are taken once; lists run from the newest", async () => {
        expect(await store.rounds.lastNumber(TASK)).toBe(0);
        for (const number of [1, 2, 3]) await store.rounds.insert(exampleRound(number));
        expect(await codeOf(store.rounds.insert(exampleRound(3)))).toBe("store/conflict");
        const again = exampleRound(3, { id: asRoundId("another-id") });
        expect(await codeOf(store.rounds.insert(again))).toBe("store/conflict");
        expect(await store.rounds.lastNumber(TASK)).toBe(3);
        const page = await store.rounds.list(TASK, { limit: 2 });
        expect(page.map((round) => round.number)).toEqual([3, 2]);
        const next = await store.rounds.list(TASK, { limit: 2, before: 2 });
        expect(next.map((round) => round.number)).toEqual([1]);
        expect(await store.rounds.countCommitted(TASK)).toBe(0);
      });

      test("the journal keeps its order and refuses a sequence number twice", async () => {
        await store.rounds.insert(exampleRound(1, { endedAt: 5_000 }));
        const roundId = exampleRound(1).id;
        const entry = (sequence: number) => ({ roundId, sequence, at: sequence, input: { type: "tick" } });
        await store.journal.append([entry(1), entry(2)]);
        await store.journal.append([]);
        await store.journal.append([entry(3)]);
        expect(await store.journal.read(roundId)).toEqual([entry(1), entry(2), entry(3)]);
        expect(await codeOf(store.journal.append([entry(4), entry(3)]))).toBe("store/conflict");
        expect(await store.journal.read(roundId)).toHaveLength(3);
        await store.journal.prune(5_000);
        expect(await store.journal.read(roundId)).toHaveLength(3);
        await store.journal.prune(5_001);
        expect(await store.journal.read(roundId)).toEqual([]);
      });

      test("a journal of any length is appended at once, or not at all", async () => {
        await store.rounds.insert(exampleRound(1));
        const roundId = exampleRound(1).id;
        const entries = Array.from({ length: 12_000 }, (_, index) => ({
          roundId,
          sequence: index + 1,
          at: index,
          input: { type: "tick" },
        }));
        expect(await codeOf(store.journal.append([...entries, entries[0]!]))).toBe("store/conflict");
        expect(await store.journal.read(roundId)).toEqual([]);
        await store.journal.append(entries);
        expect(await store.journal.read(roundId)).toEqual(entries);
      });

      test("a device is erased: what it did goes on under another name", async () => {
        for (const index of [1, 2]) await store.devices.enrol(exampleDevice(index));
        const [gone, pseudonym] = [exampleDevice(1).deviceId, exampleDevice(8).deviceId];
        const use = { tokenId: "e", at: 1, expiresAt: 100, maxUses: 1 };
        await store.devices.useToken({ ...use, deviceId: gone });
        await store.participations.put([{ task: TASK, deviceId: gone, round: 4, at: 5 }]);
        expect(await store.devices.erase(gone, pseudonym)).toBe(true);
        expect(await store.devices.erase(gone, pseudonym)).toBe(false);
        expect(await store.devices.get(gone)).toBeUndefined();
        expect(await store.devices.count()).toBe(1);
        const told = (await store.participations.list(TASK, 10)).map(({ deviceId, round }) => [
          deviceId,
          round,
        ]);
        expect(told).toEqual([[pseudonym, 4]]);
        // Nobody gets a token's use back by having its user erased.
        expect(await store.devices.useToken({ ...use, deviceId: exampleDevice(2).deviceId })).toBe(
          "exhausted",
        );
      });

      test("an optimizer state is replaced", async () => {
        const version = asModelVersion(1);
        await store.optimizers.put({ task: TASK, version, state: exampleBlob("state 1"), residual: null });
        const newer = {
          task: TASK,
          version: asModelVersion(2),
          state: exampleBlob("state 2"),
          residual: exampleBlob("residual 2"),
        };
        await store.optimizers.put(newer);
        expect(await store.optimizers.get(TASK)).toEqual(newer);
        expect(await store.optimizers.get(asTaskName("none"))).toBeUndefined();
      });
    });

    test("devices enrol, renew, are counted and revoked", async () => {
      for (const index of [3, 1, 2]) await store.devices.enrol(exampleDevice(index));
      const { deviceId } = exampleDevice(1);
      await store.devices.enrol(exampleDevice(1, { certificateSerial: "renewed", enrolledAt: 9 }));
      await store.devices.setState(deviceId, "revoked", 3);
      expect(await store.devices.get(deviceId)).toEqual(
        exampleDevice(1, { certificateSerial: "renewed", state: "revoked", refusedBefore: 3 }),
      );
      expect(await store.devices.count()).toBe(3);
      const { population, certificateExpiresAt } = exampleDevice(1);
      const certified = (certifiedAt: number) => store.devices.count(population, { certifiedAt });
      expect([await certified(certificateExpiresAt - 1), await certified(certificateExpiresAt)]).toEqual([
        2, 0,
      ]);
      const after = await store.devices.list({ after: deviceId, limit: 1 });
      expect(after.map((device) => device.deviceId)).toEqual([exampleDevice(2).deviceId]);
      expect(await codeOf(store.devices.setState(exampleDevice(9).deviceId, "active"))).toBe(
        "store/not-found",
      );
    });

    test("a token counts each device once, up to its uses, also when asked at the same time", async () => {
      const use = (index: number) =>
        store.devices.useToken({
          tokenId: "t",
          deviceId: exampleDevice(index).deviceId,
          at: 1,
          expiresAt: 100,
          maxUses: 2,
        });
      expect(await use(1)).toBe("used");
      expect(await use(1)).toBe("already");
      const both = await Promise.all([use(2), use(3)]);
      expect(both.toSorted()).toEqual(["exhausted", "used"]);
      await store.devices.forgetTokens(101);
      expect(await use(3)).toBe("used");
    });

    test("the certificate log only grows, one entry after the other, and keeps hashes of subtrees", async () => {
      const log = store.certificateLog;
      const entry = (index: number) => ({
        index,
        leafHash: sha256(Uint8Array.of(index)),
        deviceId: exampleDevice(index % 2).deviceId,
        certificate: new Uint8Array(40).fill(index),
        at: 1_790_000_000_000 + index,
      });
      const node = (level: number, index: number) => ({
        level,
        index,
        hash: new Uint8Array(32).fill(10 * level + index),
      });
      expect([await log.size(), await log.entries(0, 10)]).toEqual([0, []]);
      await log.append(entry(0), [node(0, 0)]);
      expect(await codeOf(log.append(entry(2), [node(0, 2)]))).toBe("store/conflict");
      expect(await codeOf(log.append({ ...entry(0), index: 1 }, [node(0, 1)]))).toBe("store/conflict");
      await log.append(entry(1), [node(0, 1), node(1, 0)]);
      await log.append(entry(2), [node(0, 2)]);
      expect(await log.size()).toBe(3);
      expect(await log.entries(1, 10)).toEqual([entry(1), entry(2)]);
      expect(await log.entries(0, 1)).toEqual([entry(0)]);
      const found = await log.indicesOf([entry(2).leafHash, entry(7).leafHash, entry(0).leafHash]);
      expect(new Map(found)).toEqual(
        new Map([entry(2), entry(0)].map((each) => [each.leafHash, each.index])),
      );
      expect(await log.newestOf(exampleDevice(0).deviceId)).toEqual(entry(2));
      expect(await log.newestOf(exampleDevice(9).deviceId)).toBeUndefined();
      expect(await log.nodes([node(1, 0), node(0, 2)])).toEqual([node(1, 0).hash, node(0, 2).hash]);
      expect(await codeOf(log.nodes([node(1, 1)]))).toBe("store/corrupt");
    });

    test("refusals are kept per device and round", async () => {
      const { deviceId } = exampleDevice(1);
      const roundId = exampleRound(1).id;
      const refusal = { deviceId, roundId, code: "update/not-finite", detail: { index: 3 }, at: 10 };
      await store.refusals.add(refusal);
      await store.refusals.add({ ...refusal, at: 20 });
      expect((await store.refusals.list({ deviceId })).map((row) => row.at)).toEqual([20, 10]);
      expect(await store.refusals.list({ roundId, limit: 1 })).toMatchObject([{ ...refusal, at: 20 }]);
      expect(await store.refusals.count(deviceId)).toBe(2);
      expect(await store.refusals.count(deviceId, 11)).toBe(1);
    });

    test("a cohort's sum waits until it is in one version, or in none", async () => {
      await publish();
      await store.tasks.insert(exampleTask());
      const cohort = (number: number): BufferedCohortRecord => ({
        roundId: exampleRound(number).id,
        task: TASK,
        baseVersion: asModelVersion(1),
        updates: 3,
        numExamples: 30,
        sum: exampleBlob(`sum ${number}`),
        at: 1_790_000_000_000 + number,
        staleness: null,
        version: null,
      });
      const ended = { phase: "buffered", endedAt: 1_790_000_070_000, ready: 3 } as const;
      for (const number of [1, 2, 3, 4]) {
        const { phase, ...more } = ended;
        await store.rounds.insert(
          exampleRound(number, { ...more, phase: number === 4 ? "training" : phase }),
        );
        if (number < 4) await store.bufferedCohorts.insert(cohort(number));
      }
      expect(await codeOf(store.bufferedCohorts.insert(cohort(3)))).toBe("store/conflict");
      expect(await store.bufferedCohorts.pending(TASK)).toEqual([cohort(1), cohort(2), cohort(3)]);

      const [first, second, third, open] = [1, 2, 3, 4].map((number) => exampleRound(number).id);
      const two = asModelVersion(2);
      await store.versions.insert(exampleVersion(2));
      const committed = [
        { roundId: first!, staleness: 1 },
        { roundId: second!, staleness: 0 },
      ];
      await store.bufferedCohorts.commit(committed, two);
      expect(await codeOf(store.bufferedCohorts.commit([committed[0]!], two))).toBe("store/conflict");
      const fate = { phase: "committed", version: two, loss: 0.5, accuracy: null } as const;
      await store.rounds.settleBuffered([first!, second!], fate);
      expect(await codeOf(store.rounds.settleBuffered([second!], fate))).toBe("store/conflict");
      expect(await codeOf(store.rounds.settleBuffered([open!], fate))).toBe("store/conflict");
      expect(await store.rounds.get(first!)).toEqual(exampleRound(1, { ...ended, ...fate }));
      // Two rounds, one version.
      expect(await store.rounds.countCommitted(TASK)).toBe(1);
      expect(await store.rounds.countVersions(TASK, two)).toBe(1);
      expect(await store.rounds.countVersions(TASK, asModelVersion(1))).toBe(0);

      await store.bufferedCohorts.discard([third!]);
      expect(await codeOf(store.bufferedCohorts.discard([first!]))).toBe("store/not-found");
      await store.rounds.settleBuffered([third!], { phase: "abandoned", reason: "round/superseded" });
      expect(await store.rounds.countSuperseded(TASK)).toBe(3);
      expect(await store.bufferedCohorts.pending(TASK)).toEqual([]);
      expect(await store.bufferedCohorts.list(TASK)).toEqual([
        { ...cohort(2), staleness: 0, version: two },
        { ...cohort(1), staleness: 1, version: two },
      ]);
      expect(await store.bufferedCohorts.list(TASK, { limit: 1 })).toHaveLength(1);
    });

    test("suspicions are kept per task and device: the quarantined first, then the most suspected", async () => {
      await publish();
      await store.tasks.insert(exampleTask());
      const suspicion = (
        index: number,
        points: number,
        state: "suspected" | "quarantined" = "suspected",
      ) => ({
        task: TASK,
        deviceId: exampleDevice(index).deviceId,
        points,
        state,
        roundId: exampleRound(1).id,
        at: 10,
      });
      await store.suspicions.put([suspicion(1, 1), suspicion(2, 4), suspicion(3, 2)]);
      await store.suspicions.put([suspicion(3, 3, "quarantined")]);
      const all = [suspicion(3, 3, "quarantined"), suspicion(2, 4), suspicion(1, 1)];
      expect(await store.suspicions.list(TASK)).toEqual(all);
      expect(await store.suspicions.list(asTaskName("none"))).toEqual([]);
      expect(await store.suspicions.get(TASK, all[1]!.deviceId)).toEqual(all[1]);
      await store.suspicions.remove(TASK, [all[0]!.deviceId, all[1]!.deviceId, exampleDevice(9).deviceId]);
      expect(await store.suspicions.list(TASK)).toEqual([suspicion(1, 1)]);
    });

    test("event ids grow, also after pruning", async () => {
      expect(await store.events.bounds()).toEqual({ oldest: 0, newest: 0 });
      const event = (number: number) => ({ type: "round" as const, data: { number } });
      const logged = await store.events.append([event(1), event(2), event(3)], 5);
      const ids = logged.map((row) => row.id);
      expect(ids).toEqual(ids.toSorted((a, b) => a - b));
      expect(await store.events.after(ids[0]!, 10)).toEqual(logged.slice(1));
      expect(await store.events.after(0, 1)).toEqual(logged.slice(0, 1));
      await store.events.prune(0);
      expect(await store.events.bounds()).toEqual({ oldest: ids[2], newest: ids[2] });
      const [next] = await store.events.append([event(4)], 6);
      expect(next!.id).toBeGreaterThan(ids[2]!);
    });

    test("settings are replaced", async () => {
      await store.settings.set("name", "first");
      await store.settings.set("name", { given: "second" });
      expect(await store.settings.get("name")).toEqual({ given: "second" });
      expect(await store.settings.get("none")).toBeUndefined();
    });

    describe("transactions", () => {
      test("one that throws stores nothing", async () => {
        const fault = new Error("half way");
        const failing = store.transaction(async (tx) => {
          await tx.models.insert(exampleModel());
          await tx.events.append([{ type: "version", data: {} }], 1);
          throw fault;
        });
        await expect(failing).rejects.toBe(fault);
        expect(await store.models.list()).toEqual([]);
        expect(await store.events.after(0, 10)).toEqual([]);
      });

      test("one sees its own writes, others see them afterwards", async () => {
        const inside = store.transaction(async (tx) => {
          await tx.settings.set("a", 1);
          await tx.settings.set("a", 2);
          return tx.settings.get("a");
        });
        const outside = store.settings.get("a");
        expect(await inside).toBe(2);
        expect([undefined, 2]).toContain(await outside);
        expect(await store.settings.get("a")).toBe(2);
      });

      test("concurrent ones do not mix", async () => {
        await store.settings.set("n", 0);
        const increments = Array.from({ length: 10 }, () =>
          store.transaction(async (tx) => {
            const n = (await tx.settings.get("n")) as number;
            await tx.settings.set("n", n + 1);
          }),
        );
        await Promise.all(increments);
        expect(await store.settings.get("n")).toBe(10);
      });

      test("using the store itself inside one is an error, not a deadlock", async () => {
        const nested = store.transaction(() => store.models.list());
        await expect(nested).rejects.toBeInstanceOf(TypeError);
        expect(await store.models.list()).toEqual([]);
      });
    });

    describeStoredChannels(() => store);
    describeVersionStates(() => store);
    describeStoredAliases(() => store);
    describeStoredAccess(() => store);
    describeStoredRelease(() => store);
    describeStoredMeasurements(() => store);
    describeStoredSearch(() => store);
    describeStoredFleet(() => store);
    describeStoredHealth(() => store);
    describeStoredRollouts(() => store);
    describeStoredAlerts(() => store);
    describeStoredNotifications(() => store);
    describeStoredPolicies(() => store);
    describeIdempotentRequests(() => store);
    describeStoredAudit(() => store);
    describeStoredLists(() => store);

    test("closing twice is fine; later calls are refused", async () => {
      await store.close();
      await store.close();
      expect(await codeOf((async () => store.models.list())())).toBe("store/closed");
    });

    test("data outlives the store", async ({ skip }) => {
      if (fixture.reopen === undefined) return skip("this store's data ends with it");
      await publish();
      await store.releases.apply(exampleRelease(1));
      const [logged] = await store.events.append([{ type: "version", data: { n: 1 } }], 1);
      await store.checkpoint();
      await store.close();
      store = await fixture.reopen();
      expect(await store.models.get(DIGITS)).toEqual(
        exampleModel({ releasedAt: exampleVersion(1).createdAt }),
      );
      expect(await store.versions.get(DIGITS, asModelVersion(1))).toEqual(exampleVersion(1));
      expect((await store.releases.latest("timestamp"))?.version).toBe(1);
      expect(await store.events.after(0, 10)).toEqual([logged]);
    });
  });
}
