import type { CompareView, DriftMetric, PrivacyView, SearchField, TaskPrivacy } from "@tributary/api-client";
import { failure } from "@tributary/core";
import { parseTaskSpec } from "@tributary/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { measuresOf, overlaidCurves } from "../src/model/compare-curves.ts";
import { bestOf, differenceText, measuredText, methodText, plainValue } from "../src/model/compare-lines.ts";
import { comparedBars, driftSentence, driftTitle, levelOf } from "../src/model/drift-levels.ts";
import { answerOf, durationWords } from "../src/model/estimate-words.ts";
import { issuerLine, logLine, metricWords, revealedLines, roundsLine } from "../src/model/privacy-lines.ts";
import { comparedName, suggestionsFor } from "../src/model/search-suggestions.ts";
import { validationOf } from "../src/model/task-validation.ts";
import { commandOf, documentOf, EMPTY_DRAFT, fieldAt, stepOf, STEPS } from "../src/model/task-draft.ts";

const point = (round: number, accuracy: number | null, examples = round * 10) => ({
  round,
  version: round + 1,
  seconds: round * 5,
  examples,
  loss: null,
  accuracy,
  trainLoss: null,
  trainAccuracy: null,
});
const subject = (ref: string, points: ReturnType<typeof point>[]): CompareView["subjects"][number] => ({
  ref,
  kind: "task",
  model: "digits",
  task: ref,
  version: 2,
  strategy: "fedAvg",
  at: "2026-11-01T10:00:00.000Z",
  curve: { points, rounds: points.length },
});

describe("curves of what is compared", () => {
  test("lie over each other wherever one of them has a point", () => {
    const subjects = [
      subject("a", [point(1, 0.5), point(3, 0.7)]),
      subject("b", [point(1, 0.4), point(2, null)]),
    ];
    expect(overlaidCurves(subjects, "round", "accuracy")).toEqual({
      x: [1, 3],
      lines: [
        [0.5, 0.7],
        [0.4, null],
      ],
    });
    expect(overlaidCurves(subjects, "seconds", "accuracy").x).toEqual([5, 15]);
    expect(measuresOf(subjects)).toEqual(["accuracy"]);
    expect(measuresOf([])).toEqual([]);
  });

  test("keep every point of every line, in order, over any axis", () => {
    const points = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 30 }), fc.double({ min: 0, max: 1, noNaN: true })),
      {
        maxLength: 20,
      },
    );
    fc.assert(
      fc.property(fc.array(points, { minLength: 1, maxLength: 6 }), (all) => {
        const subjects = all.map((each, i) =>
          subject(
            `t${i}`,
            [...new Map(each)].map(([round, value]) => point(round, value)),
          ),
        );
        const { x, lines } = overlaidCurves(subjects, "examples", "accuracy");
        expect(x).toEqual([...new Set(x)].toSorted((a, b) => a - b));
        for (const [i, { curve }] of subjects.entries())
          expect(lines[i]!.filter((value) => value !== null)).toHaveLength(curve.points.length);
      }),
    );
  });
});

test("figures, differences and values are told plainly", () => {
  expect(measuredText({ value: 0.94121, lower: 0.93, upper: 0.95, examples: 100 })).toBe(
    "0.9412 (0.9300 to 0.9500)",
  );
  expect(measuredText(null)).toBe("–");
  const values = [
    null,
    { value: 0.2, lower: null, upper: null, examples: null },
    { value: 0.1, lower: null, upper: null, examples: null },
  ];
  expect(bestOf({ name: "loss", better: "lower", values })).toBe(2);
  expect(bestOf({ name: "x", better: null, values })).toBeUndefined();
  const difference = {
    metric: "accuracy",
    first: 0,
    second: 1,
    difference: -0.012,
    lower: -0.02,
    upper: 0.001,
    p: 0.02,
    adjustedP: 0.04,
    significant: true,
    method: "paired",
    examples: 50,
  } as const;
  expect(differenceText(difference)).toBe("−0.0120, from −0.0200 to +0.0010");
  expect(methodText(difference)).toBe(
    "p 0.020, 0.040 among all pairs; 50 examples, both versions on the same examples of devices",
  );
  expect(['"fedAvg"', "[1,2]", "null", null].map(plainValue)).toEqual(["fedAvg", "[1,2]", "none", "–"]);
});

describe("suggestions for a query", () => {
  const field = (name: string, type: SearchField["type"], more: Partial<SearchField> = {}): SearchField => ({
    name,
    type,
    kinds: ["version"],
    description: "",
    choices: null,
    open: false,
    ...more,
  });
  const fields = [
    field("accuracy", "number"),
    field("phase", "text", { choices: ["committed", "abandoned"] }),
    field("private", "flag"),
    field("parameter", "number", { open: true }),
  ];
  const texts = (query: string) => suggestionsFor(query, fields).map(({ text }) => text);

  test.each([
    ["", ["accuracy", "phase", "private", "parameter."]],
    ["acc", ["accuracy"]],
    ["accuracy ", [">", ">=", "<", "<=", "=", "in ("]],
    ["phase = ", ["committed", "abandoned"]],
    ["phase = ab", ["abandoned"]],
    ["private = ", ["yes", "no"]],
    ["accuracy > 0.9 ", ["and", "or"]],
    ["accuracy > 0.9 and p", ["phase", "private", "parameter."]],
    ["parameter.learningRate ", [">", ">=", "<", "<=", "=", "in ("]],
    ["accuracy > ", []],
    ["accuracy > 0.9", []],
  ])("%j", (query, expected) => {
    expect(texts(query)).toEqual(expected);
  });

  test("go on with what was typed", () => {
    expect(suggestionsFor("phase = ab", fields)[0]!.query).toBe("phase = abandoned ");
    expect(suggestionsFor("not (acc", fields)[0]!.query).toBe("not (accuracy ");
  });

  test("a round has no name to compare it by", () => {
    const found = {
      model: "digits",
      task: "a",
      version: 3,
      roundId: null,
      round: null,
      at: "",
      state: "",
      strategy: null,
      loss: null,
      accuracy: null,
      cohort: null,
      numExamples: null,
    };
    expect(comparedName({ kind: "version", ...found })).toBe("digits@3");
    expect(comparedName({ kind: "task", ...found })).toBe("a");
    expect(comparedName({ kind: "round", ...found })).toBeUndefined();
  });
});

describe("a new task", () => {
  const draft = { ...EMPTY_DRAFT, name: "a", model: "digits" };

  test("says only what is not as the coordinator would have it", () => {
    expect(documentOf(draft)).toEqual({ name: "a", model: "digits" });
    // What is shown as the default is the default.
    const { name: _, model: __, ...filled } = parseTaskSpec(documentOf(draft));
    expect(filled.cohort.goalCount).toBe(Number(EMPTY_DRAFT.goalCount));
    expect(filled.cohort.minimumCount).toBe(Number(EMPTY_DRAFT.minimumCount));
    expect(filled.cohort.trainDeadlineMs).toBe(Number(EMPTY_DRAFT.trainDeadlineSeconds) * 1_000);
    expect(filled.local).toMatchObject({ epochs: 1, batchSize: 10, learningRate: 0.05 });
    expect(filled.secureAggregation).toMatchObject({
      mode: "on",
      minimumCohort: Number(EMPTY_DRAFT.minimumCohort),
    });
    expect(filled).toMatchObject({ population: "default", trainable: ["*"], release: "every", rounds: null });
    expect(filled.strategy.name).toBe("fedAvg");
  });

  test("has a document that the coordinator reads", () => {
    const spec = parseTaskSpec(
      documentOf({
        ...draft,
        rounds: "20",
        trainable: "dense*, head.*",
        strategy: "fedAdam",
        strategyParameters: "learningRate=0.01 beta1=0.9",
        goalCount: "40",
        schedule: "cron",
        cron: "0 1 * * 6",
        hours: "2.5",
        timeZone: "Europe/Zurich",
        gate: true,
        gateMetric: "accuracy",
        heldOutShare: "0.2",
        release: "on-gate",
      }),
    );
    expect(spec).toMatchObject({
      rounds: 20,
      trainable: ["dense*", "head.*"],
      strategy: { name: "fedAdam", parameters: { learningRate: 0.01, beta1: 0.9 } },
      cohort: { goalCount: 40 },
      schedule: { windows: [{ cron: "0 1 * * 6", durationMs: 9_000_000 }], timeZone: "Europe/Zurich" },
      gate: { metric: "accuracy", heldOutShare: 0.2 },
      release: "on-gate",
    });
    expect(parseTaskSpec(documentOf({ ...draft, secure: false })).secureAggregation.mode).toBe("off");
  });

  test("what is no number is refused where it stands", () => {
    expect(() => parseTaskSpec(documentOf({ ...draft, epochs: "many" }))).toThrow(
      expect.objectContaining({ detail: expect.objectContaining({ path: "/local/epochs" }) }),
    );
    expect(fieldAt("/local/epochs")).toBe("epochs");
    expect(fieldAt("/strategy/parameters/beta1")).toBe("strategyParameters");
    expect(fieldAt("/stop/rules")).toBeUndefined();
    expect(stepOf("epochs").id).toBe("learning");
    // Every field is asked for once.
    expect(STEPS.flatMap(({ fields }) => fields).toSorted()).toEqual(Object.keys(EMPTY_DRAFT).toSorted());
  });

  test("has an equal command line", () => {
    expect(commandOf({ name: "it's" })).toBe(
      `printf '%s' '{"name":"it'\\''s"}' > task.json && tributary task create task.json`,
    );
  });
});

test("what the coordinator refuses stands at its field", () => {
  const refused = (code: Parameters<typeof failure>[0], detail: Record<string, string>) =>
    validationOf(failure(code, "", { detail }));
  expect(
    refused("protocol/invalid-document", { path: "/local/epochs", problem: "must be 1 or more" }),
  ).toEqual({
    state: "wrong",
    problems: { epochs: "must be 1 or more" },
    other: undefined,
  });
  expect(refused("coordinator/task-exists", {}).problems).toEqual({
    name: "A task of this name exists already.",
  });
  expect(refused("protocol/invalid-document", { path: "/stop", problem: "x" })).toMatchObject({
    state: "wrong",
    other: "/stop x",
  });
  expect(refused("identity/not-authorized", {}).state).toBe("unknown");
  expect(validationOf(new Error("x")).state).toBe("unknown");
});

test("an estimate answers what was asked", () => {
  const result = {
    data: "evaluation",
    rounds: 30,
    roundsToAccuracy: 12,
    secondsToAccuracy: 600,
    roundsPerHour: 71.6,
  } as never;
  expect(answerOf(result, 0.95)).toBe("95 % after 12 rounds, 10 min");
  expect(answerOf({ ...(result as object), roundsToAccuracy: null } as never, 0.955)).toBe(
    "95.5 % was not reached in 30 rounds",
  );
  expect(answerOf(result, null)).toBe("72 rounds an hour");
  expect([durationWords(4), durationWords(7_200), durationWords(400_000)]).toEqual(["4 s", "2 h", "5 days"]);
});

describe("drift", () => {
  const levels = { some: 0.1, much: 0.25, source: "" };
  const metric = (psi: number, beyondNoise: boolean): DriftMetric =>
    ({
      name: "features.image.mean",
      subject: "feature",
      latest: { psi, beyondNoise },
      histogram: { edges: [0, 1, 2], reference: [0, 10, 30, 0], now: [0, 50, 50, 0], classes: null },
      history: [],
    }) as unknown as DriftMetric;

  test("is told by custom and by chance", () => {
    expect([levelOf(0.05, levels), levelOf(0.1, levels), levelOf(0.3, levels)]).toEqual([
      "little",
      "some",
      "much",
    ]);
    expect(driftSentence(metric(0.3, true), levels)).toBe("much by custom, and more than chance");
    expect(driftSentence(metric(0.3, false), levels)).toBe(
      "no more than chance does to samples of this size",
    );
    expect(driftTitle(metric(0, true))).toBe("input image.mean");
  });

  test("histograms are shares side by side", () => {
    expect(comparedBars(metric(0, true))).toEqual([
      { label: "0 to 1", reference: 0.25 / 0.75, now: 0.5 / 0.75, referenceShare: 0.25, nowShare: 0.5 },
      { label: "1 to 2", reference: 1, now: 0.5 / 0.75, referenceShare: 0.75, nowShare: 0.5 },
    ]);
  });
});

describe("privacy in plain words", () => {
  const rounds = (changes: Partial<TaskPrivacy["rounds"]>): TaskPrivacy =>
    ({
      rounds: { private: 4, notPrivate: [], smallest: 3, largest: 9, ...changes },
      leastHidden: 17,
    }) as unknown as TaskPrivacy;

  test("of rounds", () => {
    expect(roundsLine(rounds({}))).toBe(
      "All 4 rounds were private. Under masks each contribution was hidden among at least 17.",
    );
    expect(roundsLine(rounds({ notPrivate: [{ why: "plain", rounds: 2 }] }))).toMatch(
      /^4 of 6 rounds were private; of the others 2 had each/,
    );
    expect(roundsLine({ ...rounds({ private: 0 }) })).toBe("No round has ended in a sum yet.");
  });

  test("of what is revealed, by the task's own document", () => {
    const { secureAggregation, kind } = parseTaskSpec({ name: "a", model: "b" });
    expect(revealedLines({ secureAggregation, kind } as never).join(" ")).toContain(
      "only ever of 16 devices",
    );
    const off = parseTaskSpec({ name: "a", model: "b", secureAggregation: { mode: "off" } });
    expect(revealedLines(off as never)[0]).toContain("from each device by itself");
    const trial = parseTaskSpec({ name: "a", model: "b", secureAggregation: { minimumCohort: 5 } });
    expect(revealedLines(trial as never)[1]).toContain("not private");
  });

  test("of who vouches and of the log", () => {
    const view = (size: number, signed: number | null) =>
      ({
        issuer: { kind: "outside", name: "Clinic" },
        certificateLog: { size, signed: signed === null ? null : { size: signed } },
      }) as unknown as PrivacyView;
    expect(issuerLine(view(1, 1))).toMatch(/^Clinic, another party/);
    expect(logLine(view(0, null))).toBe("No device has been given a certificate yet.");
    expect(logLine(view(1, null))).toBe("1 certificate in the log; its head is not signed yet.");
    expect(logLine(view(9, 7))).toContain("2 since the head was signed");
    expect(metricWords(["lossSum", "examples"])).toEqual(["loss sum", "examples"]);
  });
});
