import { asModelVersion, TributaryError, type DeviceId } from "@tributary/core";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  initialRound,
  roundCounts,
  roundDeadline,
  roundEnded,
  stepRound,
  type RoundConfig,
  type RoundEffect,
  type RoundInput,
  type RoundState,
} from "../src/index.ts";
import { claim, device, roundConfig, START } from "./fixtures.ts";

const DEVICES = 7;
const RUNS = process.env["TRIBUTARY_TEST_FULL"] === "1" ? 5_000 : 300;
const who = fc.integer({ min: 0, max: DEVICES - 1 });

/** What may happen, at any time, in any order, as often as it likes. */
type Event =
  | { kind: "check-in" | "disconnect" | "leave" | "decline" | "report" | "refuse"; who: number }
  | { kind: "ready"; who: number; update: number | null; examples: number }
  | { kind: "tick" | "aggregated" | "committed" | "abandon" }
  | { kind: "wait"; ms: number };

// Weighted so that many rounds get as far as reporting.
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("check-in" as const), who }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("ready" as const),
      who,
      // Mostly its own update, which `report` uploads; now and then another.
      update: fc
        .option(fc.integer({ min: 0, max: DEVICES }), { freq: 8 })
        .map((n) => (n !== null && n % 4 > 0 ? null : n)),
      examples: fc.integer({ min: 0, max: 9 }),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("report" as const), who }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("disconnect" as const), who }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("leave", "decline", "refuse"), who }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 9_000 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("tick", "aggregated", "committed") }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.integer({ min: 0, max: 11 }).map((n) => (n === 0 ? "abandon" : "tick")),
    }),
  },
);

const config = fc
  .record({
    minimumCount: fc.integer({ min: 1, max: 3 }),
    goalMore: fc.integer({ min: 0, max: 2 }),
    limitMore: fc.integer({ min: 0, max: 2 }),
    reconnectGraceMs: fc.integer({ min: 1, max: 30_000 }),
  })
  .map(({ minimumCount, goalMore, limitMore, reconnectGraceMs }) =>
    roundConfig({
      minimumCount,
      goalCount: minimumCount + goalMore,
      offerLimit: minimumCount + goalMore + limitMore,
      reconnectGraceMs,
    }),
  );

const script = fc.array(event, { minLength: 10, maxLength: 100, size: "max" });

interface Played {
  readonly inputs: readonly RoundInput[];
  readonly states: readonly RoundState[];
  readonly effects: readonly RoundEffect[];
}

/** Runs a script against the machine, as a driver would: `accumulate` and `aggregate` are noted as they come. */
function play(rules: RoundConfig, script: readonly Event[]): Played {
  let state = initialRound(rules);
  let now = START;
  const inputs: RoundInput[] = [];
  const states: RoundState[] = [state];
  const effects: RoundEffect[] = [];
  const give = (input: RoundInput) => {
    const step = stepRound(rules, state, input);
    state = step.state;
    inputs.push(input);
    states.push(state);
    effects.push(...step.effects);
  };
  give({ type: "start", now });
  for (const event of script) {
    if (event.kind === "wait") {
      now += event.ms;
      continue;
    }
    const input = inputOf(event, now);
    if (input.type === "aggregated" || input.type === "committed") give({ type: "tick", now });
    if ((input.type === "aggregated" || input.type === "committed") && state.phase !== "aggregating") {
      // Only a driver can be this wrong; a device cannot. It must not go unnoticed.
      if (!roundEnded(state)) expect(() => stepRound(rules, state, input)).toThrow(TributaryError);
      continue;
    }
    give(input);
  }
  // Nothing more happens; time passes.
  for (let i = 0; i < 3; i++) {
    const deadline = roundDeadline(state);
    if (deadline === null) break;
    now = Math.max(now, deadline);
    give({ type: "tick", now });
  }
  return { inputs, states, effects };
}

function inputOf(event: Exclude<Event, { kind: "wait" }>, now: number): RoundInput {
  switch (event.kind) {
    case "check-in":
      return { type: "check-in", device: device(event.who), examples: 100, now };
    case "ready":
      return {
        type: "ready",
        device: device(event.who),
        ...claim(event.update ?? event.who, { numExamples: event.examples }),
        now,
      };
    case "disconnect":
    case "leave":
      return { type: event.kind, device: device(event.who), now };
    case "decline":
      return { type: "decline", device: device(event.who), code: "federation/busy", now };
    case "report":
      return {
        type: "report-accepted",
        device: device(event.who),
        digest: claim(event.who).updateDigest,
        now,
      };
    case "refuse":
      return { type: "report-refused", device: device(event.who), code: "update/not-finite", now };
    case "tick":
    case "aggregated":
      return { type: event.kind, now };
    case "committed":
      return { type: "committed", version: asModelVersion(2), now };
    case "abandon":
      return { type: "abandon", code: "round/task-paused", now };
  }
}

function check(name: string, holds: (rules: RoundConfig, played: Played) => void): void {
  test(name, () => {
    fc.assert(
      fc.property(config, script, (rules, script) => holds(rules, play(rules, script))),
      { numRuns: RUNS },
    );
  });
}

check("a round that began to train ends by its deadlines, or waits for its driver alone", (_, { states }) => {
  const last = states.at(-1)!;
  expect(["selecting", "aggregating", "committed", "abandoned"]).toContain(last.phase);
  expect(roundDeadline(last)).toBeNull();
});

check("no device is counted twice", (_, { effects }) => {
  const accumulated: DeviceId[] = effects.flatMap((e) => (e.type === "accumulate" ? [e.device] : []));
  expect(new Set(accumulated).size).toBe(accumulated.length);
  for (const effect of effects) {
    if (effect.type === "aggregate") expect(effect.devices.toSorted()).toEqual(accumulated.toSorted());
  }
});

check("nothing is averaged below the minimum, and at most once", (rules, { effects, states }) => {
  const aggregates = effects.filter((e) => e.type === "aggregate");
  expect(aggregates.length).toBeLessThanOrEqual(1);
  for (const aggregate of aggregates) {
    expect(aggregate.devices.length).toBeGreaterThanOrEqual(rules.minimumCount);
    expect(aggregate.devices.length).toBeLessThanOrEqual(rules.goalCount);
  }
  if (states.at(-1)!.phase === "committed") expect(aggregates).toHaveLength(1);
});

check("counts never fall and fit together", (rules, { states }) => {
  let before = roundCounts(states[0]!);
  for (const state of states) {
    const counts = roundCounts(state);
    if (counts === before) continue;
    const settled = counts.reported + counts.refused + counts.dropouts;
    const outstanding = state.phase === "reporting" ? state.outstanding.size : 0;
    const holds =
      (Object.keys(counts) as (keyof typeof counts)[]).every((name) => counts[name] >= before[name]) &&
      counts.ready <= counts.offered &&
      counts.cohort <= Math.min(counts.ready, rules.goalCount) &&
      settled === counts.cohort - outstanding;
    expect(holds, JSON.stringify({ before, counts, outstanding })).toBe(true);
    before = counts;
  }
});

check("the places taken never exceed the limit by a fresh offer", (rules, { states }) => {
  for (const { tally, participants } of states) {
    const recount = { candidates: 0, open: 0, ready: 0 };
    for (const [, participant] of participants) {
      if (participant.stage === "candidate") recount.candidates += 1;
      if (!participant.connected) continue;
      if (participant.stage === "offered" || participant.stage === "ready") recount.open += 1;
      if (participant.stage === "ready") recount.ready += 1;
    }
    expect(tally).toEqual(recount);
  }
  for (let i = 1; i < states.length; i++) {
    const fresh = roundCounts(states[i]!).offered - roundCounts(states[i - 1]!).offered;
    if (fresh > 0 && states[i]!.phase === "training") {
      expect(states[i]!.tally.open).toBeLessThanOrEqual(rules.offerLimit);
    }
  }
});

check(
  "every late ready or stranger's ready is answered with a coded outcome",
  (rules, { inputs, states }) => {
    inputs.forEach((input, i) => {
      if (input.type !== "ready") return;
      const before = states[i]!;
      const stage = before.participants.get(input.device)?.stage;
      const { effects } = stepRound(rules, before, input);
      const answers = effects.filter((e) => e.type === "send" && e.device === input.device);
      const taken = stepRound(rules, before, input).state.participants.get(input.device)?.stage;
      if (taken === "ready" || taken === "member" || taken === "reported" || stage === "reported") return;
      expect(answers).toContainEqual(
        expect.objectContaining({
          message: expect.objectContaining({
            type: "outcome",
            code: expect.stringContaining("/") as string,
          }) as object,
        }),
      );
    });
  },
);

check("the timer that is asked for is never in the past, and ends the phase", (_, { inputs, states }) => {
  inputs.forEach((input, i) => {
    const state = states[i + 1]!;
    if (state.phase !== "training" && state.phase !== "reporting") return;
    expect(state.wakeAt).not.toBeNull();
    expect(state.wakeAt!).toBeGreaterThan(input.now);
    expect(state.wakeAt!).toBeLessThanOrEqual(state.deadline);
  });
});

check(
  "replaying the recorded inputs gives the same states and effects",
  (rules, { inputs, states, effects }) => {
    let state = initialRound(rules);
    const again: RoundEffect[] = [];
    inputs.forEach((input, i) => {
      const step = stepRound(rules, state, JSON.parse(JSON.stringify(input)) as RoundInput);
      state = step.state;
      again.push(...step.effects);
      expect(plain(state)).toEqual(plain(states[i + 1]!));
    });
    expect(again).toEqual(effects);
  },
);

test("the scripts get everywhere", () => {
  const reached = new Map<string, number>();
  const scripts = fc.sample(fc.tuple(config, script), {
    numRuns: RUNS,
    seed: 1,
  });
  for (const [rules, script] of scripts) {
    for (const phase of new Set(play(rules, script).states.map((state) => state.phase))) {
      reached.set(phase, (reached.get(phase) ?? 0) + 1);
    }
  }
  expect(reached.get("reporting")).toBeGreaterThan(RUNS / 5);
  expect(reached.get("aggregating")).toBeGreaterThan(RUNS / 20);
  expect(reached.get("committed")).toBeGreaterThan(RUNS / 50);
  expect(reached.get("abandoned")).toBeGreaterThan(RUNS / 5);
});

/** A state as data: the table's private shards opened. */
function plain(state: RoundState): unknown {
  return { ...state, participants: [...state.participants] };
}
