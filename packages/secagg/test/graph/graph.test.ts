import { sha256Bytes } from "@tributary/core";
import { codeOf } from "@tributary/core/testing";
import { describe, expect, test } from "vitest";
import { chooseGraph, cohortShape, neighbourGraph } from "../../src/index.ts";
import { GOLDEN_ROWS, WORKING_TABLE, WORKING_TABLE_CLIENTS } from "./golden-rows.ts";

describe("chooseGraph", () => {
  test.each(GOLDEN_ROWS)("golden: %i clients, %f corrupt, %f dropped, %s", (...row) => {
    const [clients, corruption, dropout, adversary, degree, threshold] = row;
    expect(chooseGraph({ clients, corruption, dropout, adversary })).toEqual({ degree, threshold });
  });

  test.each(WORKING_TABLE)(
    "working table: %s, %f corrupt, %f dropped",
    (adversary, corruption, dropout, row) => {
      const found = WORKING_TABLE_CLIENTS.map((clients) => {
        const { degree, threshold } = chooseGraph({ clients, corruption, dropout, adversary });
        return `${degree}/${threshold}`;
      });
      expect(found.join(" ")).toBe(row);
    },
  );

  test("refuses what no graph withstands", () => {
    const refuse = (clients: number, corruption: number, dropout: number, adversary = "curious" as const) =>
      codeOf(() => chooseGraph({ clients, corruption, dropout, adversary }));
    expect(refuse(0, 0.1, 0.1)).toBe("secagg/infeasible-graph");
    expect(refuse(100, 0.1, 1)).toBe("secagg/infeasible-graph");
    expect(refuse(100, 0.5, 0.5)).toBe("secagg/infeasible-graph");
    const lying = { corruption: 0.33, dropout: 0.33, adversary: "semi-malicious" } as const;
    expect(codeOf(() => chooseGraph({ clients: 1000, ...lying }))).toBe("secagg/infeasible-graph");
  });
});

describe("a cohort's shape", () => {
  const assumptions = { corruption: 0.1, dropout: 0.3, adversary: "curious" } as const;

  test("complete with two thirds below 256, k-regular from there on, and never one threshold for both", () => {
    expect(cohortShape(255, assumptions)).toMatchObject({ graph: "complete", shareThreshold: 171 });
    expect(cohortShape(500, assumptions)).toMatchObject({
      graph: "k-regular",
      degree: 76,
      shareThreshold: 31,
      signatureThreshold: 334,
    });
    expect(() => cohortShape(100, { ...assumptions, regularFrom: 50 })).toThrow(RangeError);
  });

  test("two sets of survivors would need honest members that sign twice", () => {
    for (let clients = 3; clients <= 300; clients++) {
      const { signatureThreshold } = cohortShape(clients, assumptions);
      const corrupt = Math.ceil(clients / 3) - 1;
      expect(2 * signatureThreshold - clients).toBeGreaterThan(corrupt);
    }
  });
});

describe("the neighbour graph", () => {
  const shape = cohortShape(300, { corruption: 0.1, dropout: 0.3, adversary: "curious" });
  const graphOf = (seed: number) => neighbourGraph(shape, sha256Bytes(Uint8Array.of(seed)));

  test("is regular, symmetric, without loops, connected, and the same for everyone", () => {
    const graph = graphOf(1);
    expect(graphOf(1).neighboursOf(5)).toEqual(graph.neighboursOf(5));
    const reached = new Set([0]);
    for (const member of reached) for (const other of graph.neighboursOf(member)) reached.add(other);
    expect(reached.size).toBe(300);
    for (let member = 0; member < 300; member += 7) {
      const neighbours = graph.neighboursOf(member);
      expect(new Set(neighbours).size).toBe(shape.degree);
      expect(neighbours).not.toContain(member);
      expect(neighbours.every((other) => graph.neighboursOf(other).includes(member))).toBe(true);
    }
  });

  test("another seed gives other neighbours: each pair meets as often as chance says", () => {
    const seeds = 250;
    let met = 0;
    for (let seed = 0; seed < seeds; seed++) if (graphOf(seed).neighboursOf(0).includes(1)) met++;
    const chance = shape.degree / 299;
    const sigma = Math.sqrt(seeds * chance * (1 - chance));
    expect(Math.abs(met - seeds * chance)).toBeLessThan(5 * sigma);
  });
});
