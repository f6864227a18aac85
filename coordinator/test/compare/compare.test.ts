import { asModelName, asModelVersion, asRoundId, asTaskName } from "@tributary/core";
import { addMetrics, createMetrics, pairedMetrics, pairedVector } from "@tributary/metrics";
import { parseTaskSpec } from "@tributary/protocol";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import { compare } from "../../src/compare/compare.ts";
import { flattened, sideBySide } from "../../src/compare/flatten.ts";
import { thinCurve } from "../../src/compare/thin-curve.ts";
import type { MetadataStore } from "../../src/ports/metadata-store.ts";
import {
  codeOf,
  exampleLineage,
  exampleModel,
  exampleRound,
  exampleTask,
  exampleVersion,
} from "../../src/testing/index.ts";

describe("documents side by side", () => {
  test("are told leaf by leaf, lists of plain values in one", () => {
    expect(
      Object.fromEntries(
        flattened({
          a: 1,
          b: { c: null, d: { e: "x" }, none: {} },
          list: [1, 2],
          rules: [{ m: "loss" }, { m: 2 }],
        }),
      ),
    ).toEqual({
      a: "1",
      "b.c": "null",
      "b.d.e": '"x"',
      "b.none": "{}",
      list: "[1,2]",
      "rules[0].m": '"loss"',
      "rules[1].m": "2",
    });
  });

  test("differ where one has another value, or none", () => {
    expect(
      sideBySide([
        { a: 1, b: 2 },
        { a: 1, b: 3 },
        { a: 1, c: null },
      ]),
    ).toEqual([
      { path: "a", values: ["1", "1", "1"], differs: false },
      { path: "b", values: ["2", "3", null], differs: true },
      { path: "c", values: [null, null, "null"], differs: true },
    ]);
  });

  test("what a part of one does not say does not differ", () => {
    expect(sideBySide([{ a: 1, b: 2 }, { b: 3 }], [false, true]).map(({ differs }) => differs)).toEqual([
      false,
      true,
    ]);
  });

  test("differ nowhere from themselves, whatever they hold", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (document) => {
        expect(sideBySide([document, structuredClone(document)]).filter(({ differs }) => differs)).toEqual(
          [],
        );
      }),
    );
  });
});

test("of many rounds the curve keeps the first and the last, and counts examples of all", () => {
  const rounds = Array.from({ length: 1_000 }, (_, i) => exampleRound(i + 1, { numExamples: 2 }));
  const curve = thinCurve(rounds, 10);
  expect(curve.rounds).toBe(1_000);
  expect(curve.points).toHaveLength(10);
  expect(curve.points.map(({ round }) => round).slice(0, 1)).toEqual([1]);
  expect(curve.points.at(-1)).toMatchObject({ round: 1_000, examples: 2_000 });
  expect(new Set(curve.points.map(({ round }) => round)).size).toBe(10);
  expect(thinCurve([], 10)).toEqual({ points: [], rounds: 0 });
});

describe("what is compared", () => {
  let store: MetadataStore;

  beforeAll(async () => {
    store = await openSqlMetadataStore({ path: ":memory:" });
    await store.models.insert(exampleModel());
    await store.versions.insert(exampleVersion(1));
    for (const [name, epochs] of [
      ["slow", 1],
      ["fast", 5],
    ] as const) {
      const spec = parseTaskSpec({ name, model: "digits", local: { epochs } });
      await store.tasks.insert(exampleTask({ name: asTaskName(name), spec }));
    }
    for (const [task, number, version] of [
      ["slow", 1, 2],
      ["slow", 2, 3],
      ["fast", 1, 4],
    ] as const) {
      const id = asRoundId(`${task}-${number}`);
      await store.rounds.insert(
        exampleRound(number, {
          id,
          task: asTaskName(task),
          phase: "committed",
          version: asModelVersion(version),
          startedAt: number * 10_000,
          endedAt: number * 10_000 + 5_000,
          numExamples: 30,
          accuracy: version / 10,
        }),
      );
      const evaluation = { dataset: exampleLineage(2).evaluation!.dataset, examples: 1_000 };
      await store.versions.insert(
        exampleVersion(version, {
          roundId: id,
          accuracy: 0.5 + version / 10,
          metrics: { top5: [0.9] },
          lineage: {
            ...exampleLineage(version),
            evaluation,
            intervals: { accuracy: { lower: 0.5, upper: 0.99, confidence: 0.95 } },
          },
        }),
      );
    }
  });
  afterAll(() => store?.close());

  test("shows what differs, curves from their beginnings, and which differences are significant", async () => {
    const view = await compare(store, ["slow", "fast", "digits@2"]);
    expect(view.subjects.map(({ kind, version, task }) => [kind, version, task])).toEqual([
      ["task", 3, "slow"],
      ["task", 4, "fast"],
      ["version", 2, "slow"],
    ]);
    const differing = view.parameters.filter(({ differs }) => differs).map(({ path }) => path);
    expect(differing).toEqual(["local.epochs", "version.parent"]);
    expect(view.subjects[0]!.curve).toEqual({
      rounds: 2,
      points: [
        expect.objectContaining({ round: 1, version: 2, seconds: 5, examples: 30 }),
        expect.objectContaining({ round: 2, version: 3, seconds: 15, examples: 60 }),
      ],
    });
    // A version's curve ends with its own round.
    expect(view.subjects[2]!.curve.rounds).toBe(1);
    expect(view.metrics.map(({ name, better }) => [name, better])).toEqual([
      ["accuracy", "higher"],
      ["loss", "lower"],
      ["top5", "higher"],
    ]);
    expect(view.metrics[0]!.values[1]).toEqual({ value: 0.9, lower: 0.5, upper: 0.99, examples: 1_000 });
    // 0.8, 0.9 and 0.7 of a thousand: all three pairs; of the loss nothing is known but its mean.
    expect(
      view.differences.map(({ metric, first, second, significant }) => [metric, first, second, significant]),
    ).toEqual([
      ["accuracy", 0, 1, true],
      ["accuracy", 0, 2, true],
      ["accuracy", 1, 2, true],
    ]);
  });

  test("devices that measured both versions say more than two shares, whichever was the candidate", async () => {
    // Each of five devices is better by three of its ten examples with version 2 than with version 4.
    const example = (correct: boolean) => ({ loss: correct ? 0.1 : 1, correct });
    const sums = createMetrics(pairedMetrics);
    for (let device = 0; device < 5; device += 1) {
      const hits = 4 + (device % 2);
      const before = Array.from({ length: 10 }, (_, i) => example(i < hits));
      const after = Array.from({ length: 10 }, (_, i) => example(i < hits + 3));
      addMetrics(sums, pairedVector(before, after, { maxLoss: 10, maxDifference: 10 }));
    }
    const id = asRoundId("fast-9");
    await store.rounds.insert(exampleRound(9, { id, task: asTaskName("fast"), purpose: "gate" }));
    await store.measurements.insert({
      roundId: id,
      task: asTaskName("fast"),
      model: asModelName("digits"),
      purpose: "gate",
      version: asModelVersion(4),
      candidate: asModelVersion(2),
      devices: 5,
      metrics: Object.keys(pairedMetrics.specs).map((name) => ({
        name,
        kind: "counter",
        values: "real",
        minimum: -1_000,
        maximum: 1_000,
      })),
      sums: [...sums],
      confidence: 0.95,
      at: 5,
    });
    const { differences } = await compare(store, ["digits@2", "fast"]);
    expect(differences.map(({ metric, method, examples }) => [metric, method, examples])).toEqual([
      ["loss", "paired", 50],
      ["accuracy", "paired", 50],
    ]);
    // The second less the first: version 4 less version 2.
    expect(differences[1]!.difference).toBeCloseTo(-0.3, 9);
    expect(differences[1]!.lower).toBeLessThan(-0.3);
    expect(differences[1]!.upper).toBeGreaterThan(-0.3);
    expect(differences[1]!.significant).toBe(true);
    const turned = (await compare(store, ["fast", "digits@2"])).differences[1]!;
    expect(turned.difference).toBeCloseTo(0.3, 9);
    expect(turned.lower).toBeCloseTo(-differences[1]!.upper, 12);
  });

  test("a published version has no parameters and no curve", async () => {
    const view = await compare(store, ["digits@1", "digits@newest"]);
    expect(view.subjects[0]).toMatchObject({ task: null, curve: { points: [], rounds: 0 } });
    expect(view.parameters.find(({ path }) => path === "local.epochs")?.values).toEqual([
      null,
      expect.any(String),
    ]);
  });

  test("what is not there, or named twice, is refused", async () => {
    expect(await codeOf(compare(store, ["slow", "none"]))).toBe("coordinator/unknown-task");
    expect(await codeOf(compare(store, ["slow", "none@1"]))).toBe("coordinator/unknown-model");
    expect(await codeOf(compare(store, ["slow", "digits@99"]))).toBe("coordinator/unknown-version");
    expect(await codeOf(compare(store, ["slow", "slow"]))).toBe("http/bad-request");
  });
});
