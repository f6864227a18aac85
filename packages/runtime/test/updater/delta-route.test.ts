import { asDigest } from "@tributary/core";
import { deltaPath, MAX_DELTAS, parseDeltaPath } from "@tributary/protocol";
import type { TargetFile } from "@tributary/tuf";
import { expect, test } from "vitest";
import { cheapestRoute as routeOver, deltasBetween } from "../../src/updater/delta-download.ts";

const digest = asDigest("a".repeat(64));
const FULL = 100_000;
const pathOf = (version: number, name = "weights.int8.safetensors"): string =>
  `models/digits/versions/${version}/${name}`;
const file = (path: string, length: number): TargetFile => ({
  path,
  length,
  sha256: digest,
  custom: undefined,
});
const held = (version: number, sizeBytes = FULL) => [{ target: pathOf(version), digest, sizeBytes }];

/** Deltas as [from, to, bytes]. */
function release(deltas: readonly (readonly [number, number, number])[], name?: string) {
  const targets = new Map(
    deltas.map(([from, to, length]) => {
      const path = deltaPath(pathOf(to, name), from);
      return [path, file(path, length)];
    }),
  );
  return targets;
}
function cheapestRoute(
  wanted: TargetFile,
  files: Parameters<typeof routeOver>[1],
  deltas: Map<string, TargetFile>,
) {
  return routeOver(
    wanted,
    files,
    deltasBetween(wanted.path, files, deltas.keys()).map((path) => deltas.get(path)),
  );
}
const versions = (route: ReturnType<typeof cheapestRoute>) =>
  route?.deltas.map(({ path }) => {
    const { from, version } = parseDeltaPath(path)!;
    return [from, version];
  });

test("only deltas on a way are asked for", () => {
  const deltas = release([
    [1, 2, 10],
    [2, 3, 10],
    [3, 4, 10],
    [4, 5, 10],
    [1, 5, 10],
    [9, 4, 10],
  ]);
  const between = deltasBetween(pathOf(4), held(2), deltas.keys());
  expect(between).toEqual([deltaPath(pathOf(3), 2), deltaPath(pathOf(4), 3)]);
  expect(deltasBetween(pathOf(4, "weights.safetensors"), held(2), deltas.keys())).toEqual([]);
});

test("the cheapest of several ways is taken, forwards or back", () => {
  const deltas = release([
    [1, 2, 8_000],
    [2, 3, 8_000],
    [1, 3, 12_000],
    [3, 4, 8_000],
    [1, 4, 40_000],
    [4, 2, 9_000],
  ]);
  const route = cheapestRoute(file(pathOf(4), FULL), held(1), deltas);
  expect(versions(route)).toEqual([
    [1, 3],
    [3, 4],
  ]);
  expect(route).toMatchObject({ sizeBytes: 20_000, base: held(1)[0] });
  expect(versions(cheapestRoute(file(pathOf(2), FULL), held(4), deltas))).toEqual([[4, 2]]);
  // Of two versions that are here the nearer one.
  expect(versions(cheapestRoute(file(pathOf(4), FULL), [...held(1), ...held(3)], deltas))).toEqual([[3, 4]]);
});

test("one request more has to be worth it", () => {
  const deltas = release([
    [1, 2, 5_000],
    [2, 3, 5_000],
    [1, 3, 10_500],
  ]);
  expect(versions(cheapestRoute(file(pathOf(3), FULL), held(1), deltas))).toEqual([[1, 3]]);
});

test.each([
  ["nothing is held", [], FULL],
  ["what is held has another length", held(1, FULL - 1), FULL],
  [
    "what is held is another file",
    [{ target: pathOf(1, "weights.safetensors"), digest, sizeBytes: FULL }],
    FULL,
  ],
  ["there is no delta from it", held(7), FULL],
  ["the deltas are no smaller", held(1), 9_000],
])("the whole file comes where %s", (_, files, length) => {
  const deltas = release([[1, 2, 9_000]]);
  expect(cheapestRoute(file(pathOf(2), length), files, deltas)).toBeUndefined();
});

test("what is no file of a version has no deltas, and a chain has a limit", () => {
  const chain = release(Array.from({ length: 12 }, (_, i) => [i + 1, i + 2, 10] as const));
  expect(cheapestRoute(file("models/digits/stable.json", 10), held(1), chain)).toBeUndefined();
  const reach = (version: number) =>
    cheapestRoute(file(pathOf(version), FULL), held(1), chain)?.deltas.length;
  expect([reach(1 + MAX_DELTAS), reach(2 + MAX_DELTAS)]).toEqual([MAX_DELTAS, undefined]);
});
