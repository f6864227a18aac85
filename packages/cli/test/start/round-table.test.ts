import type { RoundPhase, RoundView } from "@tributary/api-client";
import { expect, test } from "vitest";
import { phaseLine, roundTableHeader, roundTableRow } from "../../src/start/round-table.ts";

const COMMITTED: RoundView = {
  id: "digits-7",
  task: "digits",
  model: "digits",
  number: 7,
  purpose: "train",
  phase: "committed",
  baseVersion: 7,
  version: 8,
  startedAt: "2026-11-01T10:00:00.000Z",
  endedAt: "2026-11-01T10:00:01.250Z",
  deadlineAt: null,
  phases: [],
  offered: 21,
  ready: 17,
  cohort: 16,
  reported: 15,
  dropouts: 1,
  refused: 0,
  numExamples: 9000,
  trainLoss: 0.41,
  trainAccuracy: 0.9,
  loss: 0.3456,
  accuracy: 0.8912,
  bytesUp: 1_234_567,
  bytesDown: 456_789,
  seconds: 1.25,
  reason: null,
  secure: null,
};

/** Column titles and the cells under them, by where they stand. */
function cells(row: string): string[] {
  return row.trim().split(/ {2,}/);
}

test("a committed round is one row under the header, flush right", () => {
  const header = roundTableHeader();
  const row = roundTableRow(COMMITTED);
  expect(cells(header)).toEqual([
    "round",
    "version",
    "participants",
    "dropouts",
    "secure",
    "loss",
    "accuracy",
    "seconds",
    "up",
    "down",
  ]);
  expect(cells(row)).toEqual(["7", "8", "15", "1", "no", "0.3456", "89.1 %", "1.3", "1.2 MB", "457 kB"]);
  expect(row).toHaveLength(header.length);
  for (const title of ["version", "loss", "down"]) {
    const end = header.indexOf(title) + title.length;
    expect(row.slice(end - 1, end)).not.toBe(" ");
  }
});

test("without held-out data the loss is the devices' own, and the accuracy a dash", () => {
  expect(cells(roundTableRow({ ...COMMITTED, loss: null, accuracy: null })).slice(5, 7)).toEqual([
    "0.4100",
    "-",
  ]);
});

test("an abandoned round says why", () => {
  const row = roundTableRow({
    ...COMMITTED,
    phase: "abandoned",
    version: null,
    loss: null,
    trainLoss: null,
    accuracy: null,
    reason: "round/too-few-reports",
  });
  expect(row).toMatch(/^ +7 +- +15 +1 +no +- +- +1\.3 .*abandoned: round\/too-few-reports$/);
});

test.each<[RoundPhase, string]>([
  ["selecting", "round 7: waiting for devices, 21 offered"],
  ["training", "round 7: training, 17 ready of 21 offered"],
  ["reporting", "round 7: reporting, 15 of 16 updates"],
  ["aggregating", "round 7: aggregating 15 updates, evaluating"],
  ["committed", "round 7: committed as version 8"],
  ["abandoned", "round 7: abandoned, no reason given"],
])("%s, in one line", (phase, line) => {
  expect(phaseLine({ ...COMMITTED, phase })).toBe(line);
});

test("a secure round says so, in its row and while its members go through the steps", () => {
  const secure = {
    step: "mask",
    cohort: 16,
    threshold: 16,
    survivors: 3,
    lost: { advertise: 0, share: 1, mask: 0, sign: 0, unmask: 0 },
    private: true,
    unmasked: 0,
  } as const;
  const word = (more: Partial<typeof secure> | { private: boolean }) =>
    cells(roundTableRow({ ...COMMITTED, secure: { ...secure, ...more } }))[4];
  expect(word({})).toBe("yes");
  expect(word({ private: false })).toBe("trial");
  expect(phaseLine({ ...COMMITTED, phase: "reporting", secure })).toBe(
    "round 7: securing (mask), 3 of 16 in the sum",
  );
});
