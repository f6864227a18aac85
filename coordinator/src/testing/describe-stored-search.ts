import { asModelName, asModelVersion, asRoundId, asTaskName } from "@tributary/core";
import { expect, test } from "vitest";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { Search, SearchPlace } from "../ports/search-repository.ts";
import { exampleModel, exampleRound, exampleTask, exampleVersion } from "./records.ts";

/** What the search looks through; part of the metadata store's suite. */
export function describeStoredSearch(opened: () => MetadataStore): void {
  const filled = async (): Promise<MetadataStore> => {
    const store = opened();
    await store.models.insert(exampleModel());
    await store.versions.insert(exampleVersion(1));
    await store.tasks.insert(exampleTask());
    for (const number of [1, 2, 3, 4]) {
      const ended = number < 4 ? ({ phase: "committed", endedAt: 9, accuracy: number / 4 } as const) : {};
      await store.rounds.insert(exampleRound(number, { ...ended, version: asModelVersion(number + 1) }));
    }
    await store.versions.insert(
      exampleVersion(2, {
        roundId: asRoundId("digits-task-1"),
        strategy: { name: "fedAdam", parameters: { learningRate: 0.01 } },
      }),
    );
    return store;
  };
  const asked: Search = {
    kind: "round",
    query: { type: "all" },
    models: null,
    now: 1_790_000_000_100,
    after: undefined,
    limit: 10,
    scan: 100,
  };
  const placeOf = ({ at, kind, key }: SearchPlace): SearchPlace => ({ at, kind, key });

  test("rows are found newest first, page by page", async () => {
    const store = await filled();
    const first = await store.search.find({ ...asked, limit: 3 });
    expect(first.hits.map(({ round }) => round)).toEqual([4, 3, 2]);
    expect(first.until).toEqual(placeOf(first.hits[2]!));
    const second = await store.search.find({ ...asked, limit: 3, after: first.until });
    expect(second.hits.map(({ round }) => round)).toEqual([1]);
    expect(second.until).toBeUndefined();
  });

  test("rows of other models are not looked at, nor counted", async () => {
    const store = await filled();
    const of = async (...models: string[]) =>
      store.search.find({ ...asked, scan: 2, models: models.map(asModelName) });
    expect(await of("letters")).toEqual({ hits: [], until: undefined });
    expect(await of()).toEqual({ hits: [], until: undefined });
    expect((await of("letters", exampleModel().name)).hits.map(({ round }) => round)).toEqual([4, 3]);
  });

  test("no more rows are looked at than asked, and it is told where the next begin", async () => {
    const store = await filled();
    const query = {
      type: "compare",
      field: "round",
      operator: "<",
      value: { type: "number", value: 2 },
    } as const;
    const first = await store.search.find({ ...asked, query, scan: 2 });
    expect(first.hits).toEqual([]);
    const second = await store.search.find({ ...asked, query, scan: 2, after: first.until });
    expect(second.hits.map(({ round }) => round)).toEqual([1]);
    const third = await store.search.find({ ...asked, query, scan: 2, after: second.until });
    expect(third).toEqual({ hits: [], until: undefined });
  });

  test("a version is told with its round and its task, a task with its last round", async () => {
    const store = await filled();
    const { hits: versions } = await store.search.find({ ...asked, kind: "version" });
    expect(versions).toEqual([
      {
        kind: "version",
        at: 1_790_000_000_002,
        key: "digits/0000000002",
        model: "digits",
        task: asTaskName("digits-task"),
        version: 2,
        roundId: "digits-task-1",
        round: 1,
        state: "trained",
        strategy: "fedAdam",
        loss: 0.25,
        accuracy: 0.9,
        cohort: 0,
        numExamples: 0,
      },
      expect.objectContaining({ version: 1, task: null, state: "published", strategy: null }),
    ]);
    const { hits: tasks } = await store.search.find({ ...asked, kind: "task" });
    expect(tasks).toEqual([
      expect.objectContaining({
        kind: "task",
        task: "digits-task",
        version: 4,
        accuracy: 0.75,
        state: "running",
      }),
    ]);
  });
}
