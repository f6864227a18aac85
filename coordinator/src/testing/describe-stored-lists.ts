import { asDeviceId, asModelName, asModelVersion, asRoundId, asTaskName } from "@tributary/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { LISTS } from "../pages/lists.ts";
import type { Page, PageAsked } from "../pages/read-page.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { exampleNotification } from "./describe-stored-alerts.ts";
import { exampleRollout } from "./describe-stored-rollouts.ts";
import {
  exampleAudit,
  exampleDevice,
  exampleModel,
  exampleRound,
  exampleTask,
  exampleVersion,
} from "./records.ts";

const DIGITS = asModelName("digits");
const TASK = asTaskName("digits-task");
const ROUND = asRoundId("digits-task-1");
/** Several rows have the same time. */
const timeOf = (index: number): number => 1_790_000_000_000 + Math.floor(index / 3);

interface ListUnderTest {
  /** Another row, the newest where rows are dated. @param index how many there were before */
  add(store: MetadataStore, index: number): Promise<unknown>;
  /** Rows as texts, each another. */
  read(store: MetadataStore, asked: PageAsked): Promise<Page<unknown>>;
}

/** Every list that is read page by page. */
const UNDER_TEST: Readonly<Record<keyof typeof LISTS, ListUnderTest>> = {
  rounds: {
    add: (store, index) => store.rounds.insert(exampleRound(index + 1)),
    read: (store, asked) => LISTS.rounds(asked, (page) => store.rounds.list(TASK, page)),
  },
  versions: {
    // The first came with the model.
    add: (store, index) => store.versions.insert(exampleVersion(index + 2)),
    read: (store, asked) => LISTS.versions(asked, (page) => store.versions.list(DIGITS, page)),
  },
  auditRecords: {
    add: (store, index) =>
      store.audit.append([exampleAudit(index % 2 === 0 ? "task.pause" : "task.resume")], timeOf(index)),
    read: (store, asked) =>
      LISTS.auditRecords(asked, (page) => store.audit.list({ action: "task.pause" }, page)),
  },
  refusals: {
    add: (store, index) => {
      const { deviceId } = exampleDevice(index);
      const refusal = { deviceId, code: "update/not-finite", detail: {}, at: timeOf(index) };
      return store.refusals.add({ ...refusal, roundId: index % 2 === 0 ? ROUND : asRoundId("another") });
    },
    read: (store, asked) => LISTS.refusals(asked, (page) => store.refusals.list({ roundId: ROUND, ...page })),
  },
  rollouts: {
    add: (store, index) => store.rollouts.insert(exampleRollout(index + 1, { endedAt: timeOf(index) })),
    read: (store, asked) => LISTS.rollouts(asked, (page) => store.rollouts.list(DIGITS, page)),
  },
  deliveries: {
    add: (store, index) =>
      store.deliveries.insert({
        id: `delivery-${index}`,
        channel: index % 2 === 0 ? "ops" : "mail",
        notification: exampleNotification(`delivery-${index}`),
        state: "delivered",
        attempts: 1,
        createdAt: timeOf(index),
        nextAt: null,
        endedAt: timeOf(index),
        lastError: null,
      }),
    read: (store, asked) => LISTS.deliveries(asked, (page) => store.deliveries.list("ops", page)),
  },
  devices: {
    add: (store, index) =>
      // Ids in no order: a new one may come anywhere.
      store.devices.enrol(
        exampleDevice(index, {
          deviceId: asDeviceId(((index * 7_919) % 10_007).toString(16).padStart(32, "0")),
        }),
      ),
    read: (store, asked) =>
      LISTS.devices(asked, ({ limit, before: after }) =>
        store.fleet.list({}, { limit, ...(after === undefined ? {} : { after }) }),
      ),
  },
  channelHistory: {
    add: async (store, index) => {
      const version = asModelVersion(index + 2);
      await store.versions.insert(exampleVersion(version, { releasedAt: null }));
      await store.channels.move({ model: DIGITS, name: "beta", version, releasedAt: timeOf(index) });
    },
    read: (store, asked) =>
      LISTS.channelHistory(asked, (page) => store.channels.history(DIGITS, { name: "beta", ...page })),
  },
  measurements: {
    add: async (store, index) => {
      const roundId = asRoundId(`digits-task-${1_000 + index}`);
      await store.rounds.insert(exampleRound(index + 1, { id: roundId }));
      await store.measurements.insert({
        roundId,
        task: TASK,
        model: DIGITS,
        purpose: "evaluate",
        version: asModelVersion(1),
        candidate: null,
        devices: 3,
        at: timeOf(index),
        metrics: [],
        sums: [],
        confidence: 0.9,
      });
    },
    read: (store, asked) => LISTS.measurements(asked, (page) => store.measurements.list(TASK, page)),
  },
  policyDecisions: {
    add: (store, index) =>
      store.policyDecisions.put({
        policy: index % 2 === 0 ? "promote" : "follow",
        key: `version-${index}`,
        outcome: "done",
        object: { model: DIGITS, version: null, task: null },
        evidence: {},
        reason: "it is good",
        rounds: 0,
        at: timeOf(index),
      }),
    read: (store, asked) => LISTS.policyDecisions(asked, (page) => store.policyDecisions.list(page)),
  },
};

/** Lists that are read page by page; part of the metadata store's suite. */
export function describeStoredLists(opened: () => MetadataStore): void {
  const filled = async (list: ListUnderTest): Promise<MetadataStore> => {
    const store = opened();
    await store.models.insert(exampleModel());
    await store.versions.insert(exampleVersion(1));
    await store.tasks.insert(exampleTask());
    for (let index = 0; index < 13; index += 1) await list.add(store, index);
    return store;
  };

  describe("lists page by page", () => {
    test.each(Object.entries(UNDER_TEST))(
      "property: %s hold every row once and in order, whatever the pages, also while rows come",
      async (_, list) => {
        const store = await filled(list);
        let rows = 13;
        const whole = async (): Promise<unknown[]> => [...(await list.read(store, { limit: 1_000 })).rows];
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 }),
            fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 4 }),
            async (limits, coming) => {
              const before = await whole();
              const seen: unknown[] = [];
              let cursor: string | undefined;
              for (let turn = 0; turn === 0 || cursor !== undefined; turn += 1) {
                // It ends: no row is a page of its own twice.
                expect(turn).toBeLessThan(before.length + rows);
                const limit = limits[turn % limits.length]!;
                const page = await list.read(store, { limit, ...(cursor === undefined ? {} : { cursor }) });
                expect(page.rows.length).toBeLessThanOrEqual(limit);
                // Where another page was promised, there is one.
                expect(page.rows).not.toEqual([]);
                seen.push(...page.rows);
                cursor = page.next ?? undefined;
                for (let come = 0; come < (coming[turn] ?? 0); come += 1) await list.add(store, rows++);
              }
              const texts = seen.map((row) => JSON.stringify(row));
              expect(new Set(texts).size).toBe(texts.length);
              const known = new Set(before.map((row) => JSON.stringify(row)));
              expect(seen.filter((_row, i) => known.has(texts[i]!))).toEqual(before);
              const after = (await whole()).map((row) => JSON.stringify(row));
              expect(after.filter((text) => texts.includes(text))).toEqual(texts);
            },
          ),
          { numRuns: 8 },
        );
      },
    );

    test("a cursor holds when its row is gone", async () => {
      const list = UNDER_TEST.measurements;
      const store = await filled(list);
      const { next } = await list.read(store, { limit: 4 });
      await store.measurements.prune(2);
      const rest = await list.read(store, { limit: 4, cursor: next! });
      expect(rest).toMatchObject({ rows: [{ roundId: "digits-task-1000" }], next: null });
    });
  });
}
