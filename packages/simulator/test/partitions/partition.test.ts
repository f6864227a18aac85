import { seededRandom } from "@tributary/core";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parsePartition, partition, type Partition } from "../../src/index.ts";
import { dirichlet } from "../../src/partitions/dirichlet.ts";

const labelsOf = (rows: number, classes: number, seed: number): Uint8Array => {
  const random = seededRandom(seed);
  return Uint8Array.from({ length: rows }, () => random.integer(classes));
};

function all(parts: Partition): number[] {
  return Array.from({ length: parts.clients }, (_, client) => [...parts.rowsOf(client)]).flat();
}

const dealtKinds = fc.constantFrom("iid", "dirichlet:0.1", "dirichlet:10", "shards:2", "power-law:1.2");

test("every row goes to exactly one client, the counts are those of the rows, and the same seed deals alike", () => {
  fc.assert(
    fc.property(
      dealtKinds,
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 30, max: 120 }),
      fc.integer({ min: 1, max: 6 }),
      fc.nat(1000),
      (kind, clients, rows, classes, seed) => {
        const labels = labelsOf(rows, classes, seed);
        const options = { spec: parsePartition(kind), clients, seed: String(seed), examplesPerClient: 5 };
        const parts = partition({ labels }, options);
        expect(parts.clients).toBe(clients);
        const rowsOfAll = all(parts);
        expect(rowsOfAll.toSorted((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, i) => i));
        for (let client = 0; client < clients; client++) {
          expect(parts.countOf(client)).toBe(parts.rowsOf(client).length);
          expect(parts.countOf(client)).toBeGreaterThan(0);
        }
        expect(all(partition({ labels }, options))).toEqual(rowsOfAll);
      },
    ),
    { seed: 1, numRuns: 120 },
  );
});

test("iid and dirichlet give clients the same number of rows, to one", () => {
  for (const kind of ["iid", "dirichlet:0.3"]) {
    const options = { spec: parsePartition(kind), clients: 7, seed: "1", examplesPerClient: 5 };
    const parts = partition({ labels: labelsOf(100, 4, 1) }, options);
    const counts = Array.from({ length: 7 }, (_, client) => parts.countOf(client));
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  }
});

test("two shards of a balanced data set are at most four labels, and two where the shards divide the labels", () => {
  const labels = Uint8Array.from({ length: 1000 }, (_, i) => i % 10);
  const options = { spec: parsePartition("shards:2"), clients: 50, seed: "paper", examplesPerClient: 1 };
  const parts = partition({ labels }, options);
  const counts = Array.from(
    { length: 50 },
    (_, client) => new Set(Array.from(parts.rowsOf(client), (row) => labels[row])).size,
  );
  // 100 shards of 10 rows, each of one label.
  expect(Math.max(...counts)).toBe(2);
  expect(counts.filter((count) => count === 2).length).toBeGreaterThan(30);
});

test("a small alpha leaves clients few labels, a large one the labels of all", () => {
  const labels = Uint8Array.from({ length: 5000 }, (_, i) => i % 10);
  const largestShare = (alpha: number): number => {
    const options = {
      spec: parsePartition(`dirichlet:${alpha}`),
      clients: 50,
      seed: "alpha",
      examplesPerClient: 1,
    };
    const parts = partition({ labels }, options);
    const shares = Array.from({ length: 50 }, (_, client) => {
      const counts = new Float64Array(10);
      for (const row of parts.rowsOf(client)) counts[labels[row]!]! += 1;
      return Math.max(...counts) / parts.countOf(client);
    });
    return shares.reduce((a, b) => a + b, 0) / shares.length;
  };
  expect(largestShare(0.1)).toBeGreaterThan(0.6);
  expect(largestShare(1000)).toBeLessThan(0.25);
});

test("draws of the Dirichlet distribution have its mean and variance, at small parameters too", () => {
  const random = seededRandom("moments");
  for (const alpha of [0.05, 0.5, 4]) {
    const size = 5;
    const parameters = Array.from({ length: size }, () => alpha);
    const draws = Array.from({ length: 4000 }, () => dirichlet(parameters, random));
    const mean = draws.reduce((sum, draw) => sum + draw[0]!, 0) / draws.length;
    const variance = draws.reduce((sum, draw) => sum + (draw[0]! - 1 / size) ** 2, 0) / draws.length;
    for (const draw of draws) expect(draw.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 9);
    expect(mean).toBeCloseTo(1 / size, 1);
    const expected = ((1 / size) * (1 - 1 / size)) / (size * alpha + 1);
    expect(variance / expected).toBeGreaterThan(0.9);
    expect(variance / expected).toBeLessThan(1.1);
  }
});

test("sizes follow the power law: the largest client has 2^exponent as many rows as the second", () => {
  const options = { spec: parsePartition("power-law:1"), clients: 10, seed: "law", examplesPerClient: 1 };
  const parts = partition({ labels: labelsOf(29_300, 3, 2) }, options);
  const counts = Array.from({ length: 10 }, (_, client) => parts.countOf(client)).toSorted((a, b) => b - a);
  for (const [rank, count] of counts.entries()) expect(count * (rank + 1)).toBeCloseTo(counts[0]!, -2);
});

test("by a column, a client has the rows of one value", () => {
  const of = Uint32Array.from([2, 0, 1, 0, 2, 2, 1]);
  const data = { labels: new Uint8Array(7), groups: { of, count: 3 } };
  const options = { spec: parsePartition("by:writer"), seed: "1", examplesPerClient: 1 };
  const parts = partition(data, { ...options, clients: 3 });
  expect(Array.from({ length: 3 }, (_, client) => [...parts.rowsOf(client)])).toEqual([
    [1, 3],
    [2, 6],
    [0, 4, 5],
  ]);
  const two = partition(data, { ...options, clients: 2 });
  for (const client of [0, 1]) {
    expect(new Set(Array.from(two.rowsOf(client), (row) => of[row])).size).toBe(1);
  }
  expect(() => partition(data, { ...options, clients: 4 })).toThrow(
    expect.objectContaining({ code: "simulator/invalid-partition" }),
  );
  expect(() => partition({ labels: new Uint8Array(7) }, { ...options, clients: 2 })).toThrow(
    /no such column/,
  );
});

describe("more clients than rows", () => {
  const labels = labelsOf(50, 5, 3);
  const options = { clients: 1_000_000, seed: "many", examplesPerClient: 12 };

  test.each(["iid", "dirichlet:0.1"])("%s: each draws its own, the same again", (kind) => {
    const parts = partition({ labels }, { ...options, spec: parsePartition(kind) });
    expect(parts.countOf(999_999)).toBe(12);
    const rows = parts.rowsOf(999_999);
    expect(rows).toHaveLength(12);
    expect(rows.every((row) => row < 50)).toBe(true);
    expect(parts.rowsOf(999_999)).toEqual(rows);
    expect(parts.rowsOf(999_998)).not.toEqual(rows);
  });

  test.each(["shards:2", "power-law:1"])("%s is refused, and says what to do", (kind) => {
    expect(() => partition({ labels }, { ...options, spec: parsePartition(kind) })).toThrow(
      /too few for 1000000 clients; ask for fewer/,
    );
  });
});

test.each([
  "",
  "even",
  "iid:2",
  "shards",
  "shards:0",
  "shards:1.5",
  "dirichlet:",
  "dirichlet:0",
  "by:",
  "power-law:x",
])('the partition "%s" is refused', (text) => {
  expect(() => parsePartition(text)).toThrow(
    expect.objectContaining({ code: "simulator/invalid-partition" }),
  );
});
