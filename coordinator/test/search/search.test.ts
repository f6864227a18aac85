import { asModelName, asModelVersion, asPopulationName, asRoundId, asTaskName } from "@tributary/core";
import { parseTaskSpec, SEARCH_KINDS, type SearchKind, type SearchResult } from "@tributary/protocol";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import type { MetadataStore } from "../../src/ports/metadata-store.ts";
import type { VersionRecord } from "../../src/ports/model-records.ts";
import type { RoundRecord } from "../../src/ports/round-records.ts";
import type { TaskRecord } from "../../src/ports/task-records.ts";
import { kindsOf, SEARCH_FIELDS } from "../../src/search/fields.ts";
import { printQuery } from "../../src/search/print-query.ts";
import { fieldsOf } from "../../src/search/query.ts";
import { search } from "../../src/search/search.ts";
import { codeOf, exampleModel, exampleRound, exampleTask, exampleVersion } from "../../src/testing/index.ts";
import { anyQuery } from "./any-query.ts";
import { meets, rowsOf, type World } from "./naive-search.ts";

const START = Date.UTC(2026, 10, 1);
const NOW = START + 3 * 86_400_000;
const STRATEGIES = ["fedAvg", "fedAdam", "fedYogi"];

/** Two models, three tasks on one of them, and rounds of which some made a version. */
function exampleWorld(): World {
  const tasks = [0, 1, 2].map((i): TaskRecord => {
    const name = asTaskName(`task-${i}`);
    const spec = parseTaskSpec({
      name,
      model: "digits",
      local: { epochs: i + 1 },
      strategy: { name: STRATEGIES[i], parameters: i === 0 ? {} : { learningRate: i / 4, beta1: 0.9 } },
      secureAggregation: i === 2 ? { mode: "off" } : {},
    });
    return exampleTask({
      name,
      spec,
      state: i === 1 ? "paused" : "running",
      population: asPopulationName(i === 0 ? "default" : "clinic"),
      reason: i === 1 ? { code: "operator", message: "an operator paused it" } : null,
      createdAt: START + i * 3_600_000,
    });
  });
  const rounds = Array.from({ length: 24 }, (_, i): RoundRecord => {
    const task = tasks[i % 3]!;
    const number = Math.floor(i / 3) + 1;
    const committed = i % 5 !== 4 && i < 21;
    return exampleRound(number, {
      id: asRoundId(`${task.name}-${number}`),
      task: task.name,
      purpose: i % 8 === 7 ? "gate" : "train",
      phase: committed ? "committed" : i < 21 ? "abandoned" : "training",
      version: committed && i % 8 !== 7 ? asModelVersion(i + 2) : null,
      baseVersion: asModelVersion(1),
      // Some began at one time.
      startedAt: START + Math.floor(i / 2) * 7_200_000,
      endedAt: i < 21 ? START + i * 7_200_000 + 60_000 : null,
      cohort: i % 7,
      dropouts: i % 4,
      seconds: i < 21 ? i / 2 : null,
      loss: committed && i % 3 !== 0 ? 1 / (i + 1) : null,
      accuracy: committed ? Math.min(1, i / 20) : null,
      reason: committed || i >= 21 ? null : "round/too-few-ready",
      numExamples: i * 10,
      secure:
        i % 3 === 2
          ? null
          : {
              step: "done" as never,
              cohort: 20,
              threshold: 17,
              survivors: 19,
              lost: { advertise: 0, share: 0, mask: 1, sign: 0, unmask: 0 },
              private: i % 2 === 0,
              unmasked: 1,
            },
    });
  });
  const made = rounds.filter(({ version }) => version !== null);
  const versions = [
    exampleVersion(1, { createdAt: START }),
    ...made.map((round, i): VersionRecord => {
      const { strategy } = tasks.find(({ name }) => name === round.task)!.spec;
      return exampleVersion(round.version!, {
        parentVersion: i === 0 ? asModelVersion(1) : made[i - 1]!.version,
        roundId: round.id,
        createdAt: round.endedAt!,
        loss: round.loss,
        accuracy: round.accuracy,
        cohort: round.cohort,
        metrics: i % 2 === 0 ? { top5: [i / 10, 1] } : { mae: [0.05 * i] },
        strategy: { name: strategy.name, parameters: strategy.parameters },
        releasedAt: i % 3 === 0 ? round.endedAt : null,
      });
    }),
  ];
  return { tasks, rounds, versions };
}

const idOf = ({ kind, task, version, roundId }: Omit<SearchResult, "at">): string =>
  kind === "version" ? `v${version}` : kind === "round" ? `r${roundId}` : `t${task}`;

describe("the search", () => {
  const world = exampleWorld();
  let store: MetadataStore;

  beforeAll(async () => {
    store = await openSqlMetadataStore({ path: ":memory:" });
    await store.models.insert(exampleModel({ name: asModelName("digits") }));
    for (const task of world.tasks) await store.tasks.insert(task);
    for (const round of world.rounds) await store.rounds.insert(round);
    for (const version of world.versions) await store.versions.insert(version);
  });
  afterAll(() => store?.close());

  /** All pages of a query. */
  const everything = async (
    query: string,
    more: { readonly kind?: SearchKind; readonly limit?: number; readonly scan?: number } = {},
  ): Promise<SearchResult[]> => {
    const results: SearchResult[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 500; page += 1) {
      const asked = { query, kind: more.kind, limit: more.limit ?? 200, cursor };
      const found = await search(store.search, asked, NOW, more.scan);
      results.push(...found.results);
      if (found.next === null) return results;
      cursor = found.next;
    }
    throw new Error("the pages do not end");
  };

  const expected = (query: Parameters<typeof meets>[2], kinds: readonly SearchKind[]): string[] =>
    kinds
      .flatMap((kind) => rowsOf(world, kind).filter((row) => meets(world, row, query, NOW)))
      .map((row) =>
        row.kind === "version"
          ? `v${row.version.version}`
          : row.kind === "round"
            ? `r${row.round.id}`
            : `t${row.task.name}`,
      )
      .toSorted();

  test.each(SEARCH_KINDS)("of a %s finds what a plain reading of the query does", async (kind) => {
    await fc.assert(
      fc.asyncProperty(anyQuery([kind]), async (query) => {
        const found = await everything(printQuery(query), { kind });
        expect(found.map(idOf).toSorted()).toEqual(expected(query, [kind]));
      }),
      { numRuns: 100 },
    );
  });

  test("over kinds gives each row once, newest first, on pages and scans of any size", async () => {
    await fc.assert(
      fc.asyncProperty(
        anyQuery(SEARCH_KINDS),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 12 }),
        async (query, limit, scan) => {
          const kinds = kindsOf(fieldsOf(query));
          const found = await everything(printQuery(query), { limit, scan });
          expect(found.map(idOf).toSorted()).toEqual(expected(query, kinds));
          const times = found.map(({ at }) => Date.parse(at));
          expect(times).toEqual(times.toSorted((a, b) => b - a));
        },
      ),
      { numRuns: 50 },
    );
  });

  test("looks only at kinds that know all the fields", async () => {
    const of = async (query: string) => (await search(store.search, { query, limit: 5 }, NOW)).kinds;
    expect(await of("accuracy > 0.5 and strategy = fedAdam")).toEqual(["version", "round", "task"]);
    expect(await of("loss <= 0.1 or version in (3, 4)")).toEqual(["version", "round"]);
    expect(await of("phase = committed")).toEqual(["round"]);
    expect(await codeOf(of("phase = committed and state = running"))).toBe("search/invalid-query");
    const asked = search(store.search, { query: "state = running", kind: "round", limit: 5 }, NOW);
    expect(await codeOf(asked)).toBe("search/invalid-query");
  });

  test("every field has its column, for each kind that knows it", async () => {
    for (const { name, kinds, open } of SEARCH_FIELDS)
      for (const kind of kinds)
        await everything(`${name}${open === true ? ".any" : ""} = none`, { kind, limit: 1 });
  });

  test("a cursor that is none is refused", async () => {
    for (const cursor of ["x", "W10", "WyJhIl0", "WzEsInR5cGUiLCJhIl0"])
      expect(await codeOf(search(store.search, { query: "", limit: 5, cursor }, NOW))).toBe(
        "http/invalid-cursor",
      );
  });
});
