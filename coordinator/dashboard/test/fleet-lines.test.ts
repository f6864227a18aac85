import { expect, test } from "vitest";
import { stackedData } from "../src/charts/stacked-options.ts";
import {
  adoptionLayers,
  adoptionSummary,
  deviceFilter,
  fleetGroups,
  runsOn,
} from "../src/model/fleet-lines.ts";

const NOW = Date.UTC(2026, 0, 8, 12, 0, 30);
const filter = (search: string) => deviceFilter(new URLSearchParams(search), NOW);

test("devices are looked for by what the address says, and by nothing that cannot be", () => {
  expect(filter("")).toEqual({});
  expect(filter("population=clinics&tag=pilot&software=app%2F1&state=revoked&search=0AF")).toEqual({
    population: "clinics",
    tag: "pilot",
    software: "app/1",
    state: "revoked",
    search: "0af",
  });
  expect(filter("model=digits&version=3&engine=ort-wasm")).toEqual({
    model: "digits",
    version: 3,
    engine: "ort-wasm",
  });
  // Of a model that is not named they say nothing.
  expect(filter("version=3&engine=ort-wasm&state=gone&search=xyz&seen=never")).toEqual({});
  // To the minute: the same question for as long.
  expect(filter("seen=day")).toEqual({ seenSince: "2026-01-07T12:00:00.000Z" });
  expect(filter("seen=gone")).toEqual({ seenBefore: "2026-01-01T12:00:00.000Z" });
});

test("groups are of the chosen model, and each but what was not told leads to its devices", () => {
  const groups = fleetGroups(
    {
      devices: { known: 3, active: 3, connected: 1, revoked: 0 },
      populations: [],
      versions: [
        { model: "digits", version: 1, devices: 1 },
        { model: "cats", version: 7, devices: 9 },
        { model: "digits", version: 2, devices: 2 },
      ],
      engines: [
        { model: "digits", engine: null, devices: 2 },
        { model: "digits", engine: "ort-wasm", devices: 1 },
      ],
      software: [{ software: "app/1", devices: 3 }],
      tags: [],
    },
    "digits",
  );
  expect(groups.map(({ groups: list }) => list.map(({ title, filter: of }) => [title, of]))).toEqual([
    [
      ["version 2", { model: "digits", version: "2" }],
      ["version 1", { model: "digits", version: "1" }],
    ],
    [
      ["not told", {}],
      ["ort-wasm", { model: "digits", engine: "ort-wasm" }],
    ],
    [["app/1", { software: "app/1" }]],
    [],
  ]);
});

test("what runs on a device is one line", () => {
  const at = "2026-01-01T00:00:00Z";
  const versions = [
    { model: "digits", version: 3, engine: "ort-wasm", at },
    { model: "cats", version: 1, engine: null, at },
  ];
  expect(runsOn({ versions })).toBe("digits 3, ort-wasm; cats 1");
  expect(runsOn({ versions: [] })).toBe("");
});

test("versions over time lie one upon the other, the others lowest", () => {
  const history = {
    versions: [1, 2],
    adoption: [
      { at: "2026-01-01T00:00:00Z", devices: [5, 0], others: 1 },
      { at: "2026-01-01T01:00:00Z", devices: [3, 2], others: 0 },
    ],
  };
  const layers = adoptionLayers(history);
  expect(layers.map(({ label, values }) => [label, values])).toEqual([
    ["others", [1, 0]],
    ["version 1", [5, 3]],
    ["version 2", [0, 2]],
  ]);
  expect(new Set(layers.map(({ color }) => color)).size).toBe(3);
  // The highest line first: those below are drawn over it.
  expect(stackedData([10, 20], layers)).toEqual([
    [10, 20],
    [6, 5],
    [6, 3],
    [1, 0],
  ]);
  expect(adoptionSummary(history)).toContain("version 1 on 3, version 2 on 2");
  expect(adoptionSummary({ versions: [], adoption: [] })).toContain("nothing was noted yet");
});
