import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatBytes,
  formatLoss,
  formatLossChange,
  formatPoints,
  formatShare,
} from "../src/format/numbers.ts";
import { formatAgo, formatCountdown, formatSeconds } from "../src/format/time.ts";
import { bufferSentence, bufferShare, modeWords, stalenessWords } from "../src/model/buffer-lines.ts";
import { learningCurves } from "../src/model/curves.ts";
import { lineage } from "../src/model/lineage.ts";
import { participantGroups, phaseSteps } from "../src/model/round-progress.ts";
import { secureLine, secureTask, secureWord } from "../src/model/secure-line.ts";
import { suspicionLines } from "../src/model/suspicion-lines.ts";
import { aRound, aTask, aVersion } from "./views.ts";

describe("phases of a round", () => {
  const statuses = (more: Parameters<typeof aRound>[0]) =>
    phaseSteps(aRound(more)).map(({ phase, status }) => `${phase} ${status}`);

  test("under way, committed, abandoned while training and while reporting", () => {
    expect(statuses({ phase: "reporting" })).toEqual([
      "selecting done",
      "training done",
      "reporting current",
      "aggregating upcoming",
      "committed upcoming",
    ]);
    expect(statuses({ phase: "committed" }).every((step) => step.endsWith(" done"))).toBe(true);
    expect(phaseSteps(aRound({ phase: "training", purpose: "gate" }))[1]!.label).toBe("Measuring");
    expect(statuses({ phase: "buffered" }).at(-1)).toBe("buffered current");
    expect(statuses({ phase: "abandoned" })).toEqual([
      "selecting done",
      "training failed",
      "reporting upcoming",
      "aggregating upcoming",
      "abandoned failed",
    ]);
    expect(statuses({ phase: "abandoned", cohort: 8 })[2]).toBe("reporting failed");
  });

  test("devices by what they are at", () => {
    const training = aRound({ phase: "training", offered: 13, ready: 4, dropouts: 1 });
    expect(participantGroups(training)).toEqual([
      { state: "ready", count: 4 },
      { state: "training", count: 8 },
      { state: "dropout", count: 1 },
    ]);
    const reporting = aRound({
      phase: "reporting",
      offered: 13,
      ready: 10,
      cohort: 10,
      reported: 6,
      refused: 1,
    });
    expect(participantGroups(reporting)).toEqual([
      { state: "reported", count: 6 },
      { state: "waiting", count: 3 },
      { state: "refused", count: 1 },
    ]);
    expect(participantGroups(aRound({ phase: "selecting" }))).toEqual([]);
  });
});

describe("learning curves", () => {
  test("committed rounds in order of their number, gaps as null", () => {
    const curves = learningCurves([
      aRound({ number: 3, phase: "training" }),
      aRound({ number: 2, phase: "committed", loss: 0.5, accuracy: 0.9, trainLoss: 0.6 }),
      aRound({ number: 1, phase: "committed", loss: 1 }),
    ]);
    expect(curves).toEqual({
      x: [1, 2],
      accuracy: [null, 0.9],
      trainAccuracy: [null, null],
      loss: [1, 0.5],
      trainLoss: [null, 0.6],
    });
  });
});

describe("lineage", () => {
  const lanes = (rows: ReturnType<typeof lineage>) =>
    rows.map(({ version, lane, passing, children }) => [version.version, lane, passing, children]);

  test("a chain stands in one lane", () => {
    const rows = lineage([aVersion(1, null), aVersion(2, 1), aVersion(3, 2)]);
    expect(lanes(rows)).toEqual([
      [3, 0, [], []],
      [2, 0, [], [0]],
      [1, 0, [], [0]],
    ]);
    expect(rows.map(({ continues }) => continues)).toEqual([true, true, false]);
    expect(rows[0]?.parent?.version).toBe(2);
  });

  test("after a roll-back the abandoned branch has a lane of its own, down to the common parent", () => {
    expect(
      lanes(lineage([aVersion(1, null), aVersion(2, 1), aVersion(3, 2), aVersion(4, 2), aVersion(5, 4)])),
    ).toEqual([
      [5, 0, [], []],
      [4, 0, [], [0]],
      [3, 1, [0], []],
      [2, 0, [], [0, 1]],
      [1, 0, [], [0]],
    ]);
  });

  test("property: whatever the tree, no two versions or lines meet in a lane", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 1, maxLength: 40 }), (picks) => {
        const versions = picks.map((pick, i) => aVersion(i + 1, i === 0 ? null : (pick % i) + 1));
        for (const row of lineage(versions)) {
          expect(row.passing).not.toContain(row.lane);
          expect(new Set([...row.passing, ...row.children]).size).toBe(
            row.passing.length + row.children.length,
          );
        }
        const parents = lineage(versions).filter(({ children }) => children.length > 0);
        const children = parents.reduce((sum, row) => sum + row.children.length, 0);
        expect(children).toBe(versions.length - 1);
      }),
      { seed: 20261101 },
    );
  });
});

describe("figures in words", () => {
  test("bytes, shares, losses and their changes", () => {
    expect([0, 999, 1000, 35_712, 136_744, 999_600, 2_460_000].map(formatBytes)).toEqual([
      "0 B",
      "999 B",
      "1.00 kB",
      "35.7 kB",
      "137 kB",
      "1.00 MB",
      "2.46 MB",
    ]);
    expect([0.9723, 1, null].map(formatShare)).toEqual(["97.2%", "100.0%", "–"]);
    expect([0.0712, 0.00123, 0, null].map(formatLoss)).toEqual(["0.071", "0.0012", "0.000", "–"]);
    expect([0.004, -0.004, 0.0001].map(formatPoints)).toEqual(["+0.4", "−0.4", "±0.0"]);
    expect([0.021, -0.021, -0.0001].map(formatLossChange)).toEqual(["+0.021", "−0.021", "±0.000"]);
  });

  test("durations", () => {
    expect([8.43, 59.97, 125, 11_520, 180_000, null].map(formatSeconds)).toEqual([
      "8.4 s",
      "1 min 0 s",
      "2 min 5 s",
      "3 h 12 min",
      "2 d 2 h",
      "–",
    ]);
    expect([-5, 0, 6_100, 760_000, 3_723_000].map(formatCountdown)).toEqual([
      "0:00",
      "0:00",
      "0:07",
      "12:40",
      "1:02:03",
    ]);
    expect([1, 43, 720, 10_800, 172_800].map((s) => formatAgo(0, s * 1000))).toEqual([
      "just now",
      "40 s ago",
      "12 min ago",
      "3 h ago",
      "2 d ago",
    ]);
  });
});

describe("what the coordinator could see of one device", () => {
  const here = {
    kind: "coordinator",
    name: "tributary",
    publicKey: "ab".repeat(32),
    certificates: 24,
  } as const;
  const secure = {
    step: "mask",
    cohort: 24,
    threshold: 17,
    survivors: 20,
    lost: { advertise: 0, share: 4, mask: 0, sign: 0, unmask: 0 },
    private: true,
    unmasked: 0,
  } as const;

  test("everything, without secure aggregation", () => {
    expect(secureLine(aRound(), here)).toContain("sees each update");
  });

  test("a sum, and of how many; who vouches for the members", () => {
    const committed = secureLine(aRound({ phase: "committed", secure: { ...secure, unmasked: 1 } }), here);
    expect(committed).toContain("a sum of at least 17");
    expect(committed).toContain("vouched for by this server");
    const outside = { ...here, kind: "outside" as const, name: "the clinic" };
    expect(secureLine(aRound({ secure }), outside)).toContain("vouched for by the clinic");
    expect(secureLine(aRound({ secure }), undefined)).toContain("not known yet");
    expect(committed).toContain("20 of 24 members");
  });

  test("a trial is called one", () => {
    const line = secureLine(aRound({ secure: { ...secure, threshold: 3, private: false } }), here);
    expect(line).toContain("not private");
  });

  test("of a task and of each round: on, a trial, or opted out", () => {
    const task = aTask();
    const asked = (more: object) => {
      const secureAggregation = { ...task.spec.secureAggregation, ...more };
      return secureTask({ ...task, spec: { ...task.spec, secureAggregation } });
    };
    expect(asked({})).toEqual({ word: "on", sentence: expect.stringContaining("at least 16 devices") });
    expect(asked({ minimumCohort: 3 })).toEqual({
      word: "trial",
      sentence: expect.stringContaining("Not private"),
    });
    expect(asked({ mode: "off" })).toEqual({
      word: "off",
      sentence: expect.stringContaining("sees each update"),
    });
    expect(
      [aRound(), aRound({ secure }), aRound({ secure: { ...secure, private: false } })].map(secureWord),
    ).toEqual(["no", "yes", "trial"]);
  });

  test("how far it is", () => {
    expect(secureLine(aRound({ phase: "reporting", secure }), here)).toContain("masked vectors, 20 of 24");
    expect(
      secureLine(aRound({ phase: "aggregating", secure: { ...secure, unmasked: 0.438 } }), here),
    ).toContain("43 % done");
    expect(secureLine(aRound({ secure: { ...secure, cohort: 0 } }), here)).toContain("No cohort yet");
    expect(secureLine(aRound({ phase: "abandoned", secure }), here)).toContain("No sum came out");
  });
});

describe("who makes sums fail", () => {
  const of = (device: string, state: "suspected" | "quarantined") => ({
    task: "digits",
    device: device.repeat(32),
    points: 3,
    state,
    roundId: "digits-7",
    at: "2026-11-01T10:00:00.000Z",
  });

  test("is nothing to tell while nobody is suspected", () => {
    expect(suspicionLines([], true)).toBeUndefined();
  });

  test("the quarantined are named, the suspected counted", () => {
    const lines = suspicionLines([of("a", "quarantined"), of("b", "suspected"), of("c", "suspected")], true)!;
    expect(lines.sentence).toBe(
      "1 device stayed in cohorts whose sums failed and is quarantined; 2 devices are suspected until a cohort with them holds.",
    );
    expect(lines.quarantined.map(({ device }) => device)).toEqual(["a".repeat(32)]);
    expect(suspicionLines([of("b", "suspected")], true)!.sentence).toBe(
      "1 device is suspected until a cohort with it holds.",
    );
    expect(suspicionLines([of("a", "quarantined"), of("b", "suspected")], false)!.sentence).toBe(
      "1 device sent updates that were refused and is quarantined; 1 device is suspected until a round with it holds.",
    );
  });
});

describe("a buffer", () => {
  const buffer = {
    bufferSize: 48,
    updates: 32,
    maxStaleness: 4,
    head: 7,
    liveBases: [],
    cohorts: [],
    superseded: 0,
  };

  test("says how full it is, and what was lost", () => {
    expect(bufferSentence(buffer)).toBe("32 of 48 updates wait for version 8.");
    expect(bufferSentence({ ...buffer, superseded: 1 })).toContain("1 finished update was superseded");
    expect(bufferSentence({ ...buffer, superseded: 5 })).toContain("5 finished updates were superseded");
    expect(bufferShare(buffer)).toBeCloseTo(2 / 3);
    // A last cohort may be larger than what was missing.
    expect(bufferShare({ ...buffer, updates: 60 })).toBe(1);
  });

  test("tells how old a base is", () => {
    expect(stalenessWords({ staleness: 0 })).toBe("fresh");
    expect(stalenessWords({ staleness: 1 })).toBe("1 version old");
    expect(stalenessWords({ staleness: 3 })).toBe("3 versions old");
  });

  test("is a mode of a task", () => {
    const { spec } = aTask();
    expect(modeWords(aTask())).toBe("synchronous");
    const mode = { type: "buffered", bufferSize: 48 } as const;
    expect(modeWords(aTask({ spec: { ...spec, mode } }))).toBe("buffered, a version of every 48 updates");
  });

  test("shows a version that several cohorts made as one point of the curves", () => {
    const committed = (number: number, version: number) => aRound({ number, version, phase: "committed" });
    expect(learningCurves([committed(4, 3), committed(3, 2), committed(2, 2)]).x).toEqual([3, 4]);
  });
});
