import { asModelVersion, asRoundId } from "@tributary/core";
import type { Offer, ServerMessage } from "@tributary/protocol";
import { expect, test } from "vitest";
import {
  initialParticipant,
  initialRound,
  PARTICIPANT_DEFAULTS,
  stepParticipant,
  stepRound,
  type ParticipantEffect,
  type ParticipantInput,
  type RoundConfig,
  type RoundEffect,
  type RoundInput,
} from "../src/index.ts";
import { claim, device, roundConfig, START } from "./fixtures.ts";

const rules = { buffered: true, goalCount: 2, minimumCount: 2, offerLimit: 10 } as const;

/** One cohort of a buffer, played by hand. */
function cohort(more: Partial<RoundConfig> = {}) {
  const config = roundConfig({ ...rules, ...more });
  let state = initialRound(config);
  let now = START;
  const give = (input: Omit<RoundInput, "now"> & { type: string }): readonly RoundEffect[] => {
    const step = stepRound(config, state, { ...input, now } as RoundInput);
    state = step.state;
    return step.effects.filter(({ type }) => type !== "wake-at");
  };
  give({ type: "start" });
  return {
    give,
    checkIn: (who: number) => give({ type: "check-in", device: device(who), examples: 10 } as never),
    ready: (who: number) => give({ type: "ready", device: device(who), ...claim(who) } as never),
    wait: (ms: number) => {
      now += ms;
      return give({ type: "tick" });
    },
    get state() {
      return state;
    },
  };
}

const messagesTo = (effects: readonly RoundEffect[], who: number): ServerMessage[] =>
  effects.flatMap((effect) =>
    effect.type === "send" && effect.device === device(who) ? [effect.message] : [],
  );

test("a cohort of a buffer asks its first device at once, though it needs more for a sum", () => {
  const round = cohort();
  expect(messagesTo(round.checkIn(1), 1)).toMatchObject([{ type: "offer" }]);
  expect(round.state.phase).toBe("training");
});

test("when it forms, those that still train are carried on instead of being told that they are not needed", () => {
  const round = cohort();
  for (const who of [1, 2, 3]) round.checkIn(who);
  round.ready(1);
  const effects = round.ready(2);
  expect(effects).toContainEqual({ type: "carry", devices: [device(3)] });
  expect(messagesTo(effects, 3)).toEqual([]);
  // What it says before it has the next offer is not refused.
  expect(round.ready(3)).toEqual([]);
  for (const who of [1, 2])
    round.give({ type: "report-accepted", device: device(who), digest: claim(who).updateDigest } as never);
  const { state } = round;
  if (state.phase !== "aggregating") throw new Error(`aggregating expected, got ${state.phase}`);
  expect(new Set(state.survivors)).toEqual(new Set([device(1), device(2)]));
  const ended = round.give({ type: "buffered" });
  expect(ended).toContainEqual({ type: "ended", result: "buffered" });
  expect(messagesTo(ended, 1)).toMatchObject([{ type: "outcome", result: "buffered" }]);
  expect(messagesTo(ended, 3)).toEqual([]);
});

test("one that does not fill by its deadline is superseded, with those that are ready and those that train", () => {
  const round = cohort();
  round.checkIn(1);
  round.checkIn(2);
  round.ready(1);
  const effects = round.wait(60_000);
  for (const who of [1, 2])
    expect(messagesTo(effects, who)).toMatchObject([
      { type: "outcome", result: "superseded", code: "round/superseded" },
    ]);
  expect(round.state).toMatchObject({ phase: "abandoned", code: "round/superseded" });
});

test("a round that is none of a buffer takes no `buffered`", () => {
  const config = roundConfig({ goalCount: 1, minimumCount: 1 });
  let state = initialRound(config);
  const inputs = [
    { type: "start" },
    { type: "check-in", device: device(1), examples: 10 },
    { type: "ready", device: device(1), ...claim(1) },
    { type: "report-accepted", device: device(1), digest: claim(1).updateDigest },
  ];
  for (const input of inputs) state = stepRound(config, state, { ...input, now: START } as RoundInput).state;
  expect(() => stepRound(config, state, { type: "buffered", now: START })).toThrow(
    expect.objectContaining({ code: "federation/invalid-transition" }),
  );
});

/** A device with consent and a connection. */
function willing() {
  const config = { ...PARTICIPANT_DEFAULTS, task: roundConfig().task };
  let state = initialParticipant();
  const give = (input: Omit<ParticipantInput, "now"> & { type: string }): readonly ParticipantEffect[] => {
    const step = stepParticipant(config, state, { ...input, now: START } as ParticipantInput);
    state = step.state;
    return step.effects;
  };
  give({ type: "consent", granted: true, examples: 10 } as never);
  give({ type: "connected" });
  return { give, receive: (message: ServerMessage) => give({ type: "message", message } as never) };
}

function offerOf(round: number, base = 1): Offer & { type: "offer" } {
  const { task, plan, weights } = roundConfig();
  return {
    type: "offer",
    task,
    roundId: asRoundId(`digits-${round}`),
    round,
    baseVersion: asModelVersion(base),
    planTarget: plan.target,
    planDigest: plan.digest,
    weightsTarget: weights.target,
    weightsDigest: base === 1 ? weights.digest : plan.digest,
    trainDeadlineMs: START + 60_000,
    timestampVersion: 1,
    trainingRound: 1,
  };
}

test("a device goes on training when it is offered the next cohort on the same base", () => {
  const trainee = willing();
  trainee.receive(offerOf(1));
  const { type: _, ...next } = offerOf(2);
  const effects = trainee.receive(offerOf(2));
  expect(effects.filter(({ type }) => type !== "wake-at")).toEqual([
    { type: "notify", event: { type: "offered", roundId: "digits-2", round: 2, baseVersion: 1 } },
    { type: "carry-training", roundId: "digits-1", offer: next },
  ]);
  const trained = trainee.give({
    type: "trained",
    roundId: asRoundId("digits-2"),
    metrics: [],
    ...claim(1),
  } as never);
  expect(trained).toContainEqual(
    expect.objectContaining({ message: expect.objectContaining({ type: "ready", roundId: "digits-2" }) }),
  );
});

test("a device drops what it trains when the next offer has another base, and when it is superseded", () => {
  const trainee = willing();
  trainee.receive(offerOf(1));
  const other = trainee.receive(offerOf(2, 2)).map(({ type }) => type);
  expect(other).toEqual(expect.arrayContaining(["cancel-training", "train"]));
  const superseded = trainee.receive({
    type: "outcome",
    roundId: asRoundId("digits-2"),
    result: "superseded",
    code: "round/superseded",
  });
  expect(superseded.map(({ type }) => type)).toContain("cancel-training");
  expect(trainee.receive(offerOf(3, 2)).map(({ type }) => type)).toContain("train");
});
