import { asRoundId } from "@tributary/core";
import { SECURE_STEPS } from "@tributary/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  initialParticipant,
  initialRound,
  PARTICIPANT_DEFAULTS,
  stepParticipant,
  stepRound,
  type ParticipantInput,
  type RoundState,
} from "../src/index.ts";
import { claim, device, roundConfig, START } from "./fixtures.ts";
import { SecureWorld, type Fate } from "./secure-world.ts";

const healthy = (count: number): Fate[] => Array.from({ length: count }, () => ({}));

function run(world: SecureWorld, ms = 60_000): SecureWorld {
  world.clock.advance(ms);
  return world;
}

describe("a secure cohort", () => {
  test("goes through all steps and sums every member", () => {
    const world = run(new SecureWorld(healthy(5)));
    expect(world.opened).toEqual([...SECURE_STEPS]);
    expect(world.aggregated).toHaveLength(5);
    expect(world.state).toMatchObject({
      phase: "committed",
      counts: { offered: 5, ready: 5, cohort: 5, reported: 5, dropouts: 0 },
      secure: { step: "unmask", cohort: 5, threshold: 4, survivors: 5 },
    });
    for (const each of world.devices) {
      expect(each.steps).toEqual([...SECURE_STEPS]);
      expect(each.events).toContain("committed");
      expect(each.state.activity.type).toBe("idle");
    }
  });

  test("does not wait for a deadline when all have answered", () => {
    const world = new SecureWorld(healthy(5));
    world.clock.advance(1_000 + 5 * 200);
    expect(world.over).toBe(true);
  });

  // 7 members: floor(14/3) + 1 = 5 are needed in every step.
  test.each(SECURE_STEPS)("survives two of seven lost at %s; who has masked stays in the sum", (step) => {
    const world = run(new SecureWorld([...healthy(5), { diesAt: step }, { diesAt: step }]));
    const masked = step === "sign" || step === "unmask";
    expect(world.state.phase).toBe("committed");
    expect(world.aggregated).toHaveLength(masked ? 7 : 5);
    expect(world.state.counts).toMatchObject({ reported: masked ? 7 : 5, dropouts: masked ? 0 : 2 });
    expect(world.state.secure!.lost[step]).toBe(2);
  });

  test.each(["advertise", "share", "mask", "sign"] as const)(
    "comes to nothing when three of seven are lost at %s",
    (step) => {
      const world = run(new SecureWorld([...healthy(4), ...healthy(3).map(() => ({ diesAt: step }))]));
      expect(world.state).toMatchObject({ phase: "abandoned", code: "secagg/below-threshold" });
      expect(world.aggregated).toBeUndefined();
      for (const each of world.devices.slice(0, 4)) expect(each.events).toContain("abandoned");
    },
  );

  // 20 members: floor(40/3) + 1 = 14, as many as are left when 30 % are lost.
  test.each(SECURE_STEPS)("of twenty survives 30 %% lost at %s", (step) => {
    const world = run(new SecureWorld([...healthy(14), ...healthy(6).map(() => ({ diesAt: step }))]));
    const masked = step === "sign" || step === "unmask";
    expect(world.state).toMatchObject({ phase: "committed", counts: { reported: masked ? 20 : 14 } });
    const summed = new Set(world.devices.slice(0, masked ? 20 : 14).map(({ id }) => id));
    expect(new Set(world.aggregated)).toEqual(summed);
  });

  test("property: whoever is lost at whichever step, the sum is of all who masked, or nothing comes out", () => {
    const fate = fc.record({ diesAt: fc.option(fc.constantFrom(...SECURE_STEPS), { nil: undefined }) });
    // As many as the threshold stands, and some more or less.
    const fates = fc
      .integer({ min: 0, max: 9 })
      .chain((lost) => fc.array(fate, { minLength: lost, maxLength: lost }))
      .map((dying) => [...dying, ...healthy(20 - dying.length)] as Fate[]);
    const outcomes = new Set<string>();
    fc.assert(
      fc.property(fates, (each) => {
        const world = run(new SecureWorld(each));
        const stays = (after: number) =>
          each.filter(({ diesAt }) => !SECURE_STEPS.slice(0, after).includes(diesAt!));
        const masked = stays(3).length;
        // Signatures of two thirds of all; any share may do for the unmasking, which the protocol decides.
        const comesOut = stays(4).length >= 14;
        outcomes.add(world.state.phase);
        expect(world.state.phase).toBe(comesOut ? "committed" : "abandoned");
        expect(world.aggregated?.length).toBe(comesOut ? masked : undefined);
      }),
      { seed: 20, numRuns: 60 },
    );
    expect(outcomes).toEqual(new Set(["committed", "abandoned"]));
  });

  test("the task's floor raises the threshold", () => {
    const fates = [...healthy(6), { diesAt: "share" as const }];
    expect(run(new SecureWorld(fates)).state.phase).toBe("committed");
    const world = run(new SecureWorld(fates, { minimumCount: 7 }));
    expect(world.state).toMatchObject({ phase: "abandoned", code: "secagg/below-threshold" });
  });

  test.each(SECURE_STEPS)("a member that is back in time is asked for %s again", (step) => {
    const world = run(new SecureWorld([...healthy(4), { dropsAt: step, backAfterMs: 800 }]));
    expect(world.state).toMatchObject({ phase: "committed", counts: { reported: 5, dropouts: 0 } });
    expect(world.devices[4]!.steps).toEqual([...SECURE_STEPS]);
  });

  test("a member whose check fails says so and is not waited for", () => {
    const world = new SecureWorld([...healthy(4), { failsAt: "mask" }]);
    world.clock.advance(1_000 + 5 * 200);
    expect(world.state).toMatchObject({ phase: "committed", counts: { reported: 4, dropouts: 1 } });
    expect(world.devices[4]!.events).toContain("failed");
  });

  test("the inputs alone give the same states again", () => {
    const world = run(new SecureWorld([...healthy(5), { diesAt: "share" }, { dropsAt: "sign" }]));
    const replayed = world.inputs.reduce<RoundState>(
      (state, input) => stepRound(world.config, state, JSON.parse(JSON.stringify(input))).state,
      initialRound(world.config),
    );
    expect(replayed).toEqual(world.state);
  });
});

test("a step that overtakes the answer to the one before it does not break that off", () => {
  const world = new SecureWorld(healthy(3));
  const [member] = world.devices;
  world.clock.advance(1_000);
  // Until it has been asked for a step and is at work on it.
  while (member!.state.activity.type !== "securing" || member!.state.activity.answered)
    world.clock.advance(1);
  const { request } = member!.state.activity;
  const next = { ...request, type: "secure-step" as const, step: "share" as const };
  const step = stepParticipant({ task: world.config.task, ...PARTICIPANT_DEFAULTS }, member!.state, {
    type: "message",
    message: next,
    now: world.clock.now(),
  });
  expect(step.effects.map(({ type }) => type)).toEqual(["secure-step"]);
  expect(step.state.activity).toMatchObject({ type: "securing", request: { step: "share" } });
});

describe("a round and a device that disagree on secure aggregation", () => {
  function inTraining(secure: boolean) {
    const config = roundConfig({ secure: secure ? { stepDeadlineMs: 5_000 } : null });
    let state = initialRound(config);
    state = stepRound(config, state, { type: "start", now: START }).state;
    for (const i of [1, 2])
      state = stepRound(config, state, {
        type: "check-in",
        device: device(i),
        examples: 9,
        now: START,
      }).state;
    return { config, state };
  }

  test("a secure round takes no single update, and the others no commitment", () => {
    const refused = { type: "send", message: { result: "refused", code: "round/secure-mismatch" } };
    const secure = inTraining(true);
    const alone = { type: "ready", device: device(1), ...claim(1), now: START } as const;
    expect(stepRound(secure.config, secure.state, alone).effects).toMatchObject([refused]);
    const plain = inTraining(false);
    const { updateDigest: commitment } = claim(1);
    const committed = { type: "secure-ready", device: device(1), commitment, now: START } as const;
    expect(stepRound(plain.config, plain.state, committed).effects).toMatchObject([refused]);
  });

  test("a device never uploads an update of a secure round alone", () => {
    const config = { ...PARTICIPANT_DEFAULTS, task: roundConfig().task };
    const { roundId, round, baseVersion, plan, weights } = roundConfig();
    const offer = {
      type: "offer" as const,
      task: config.task,
      roundId,
      round,
      baseVersion,
      planTarget: plan.target,
      planDigest: plan.digest,
      weightsTarget: weights.target,
      weightsDigest: weights.digest,
      trainDeadlineMs: START + 60_000,
      timestampVersion: 1,
      trainingRound: 1,
    };
    let state = initialParticipant();
    const give = (input: ParticipantInput) => {
      const step = stepParticipant(config, state, input);
      state = step.state;
      return step.effects;
    };
    const now = START;
    give({ type: "consent", granted: true, examples: 5, now });
    give({ type: "connected", now });
    give({ type: "message", message: offer, now });
    const update = { commitment: claim(1).updateDigest, numExamples: 5, certificate: new Uint8Array(1) };
    give({ type: "trained-securely", roundId, ...update, now });
    const effects = give({
      type: "message",
      message: { type: "request-report", roundId, deadlineMs: START + 9_000, uploadPath: "/x" },
      now,
    });
    expect(effects).toMatchObject([
      { type: "discard-update" },
      { type: "send", message: { type: "decline", code: "round/secure-mismatch" } },
      { type: "notify", event: { type: "failed" } },
    ]);
    // And a step for an update that it does not have is declined.
    const step = {
      type: "secure-step" as const,
      roundId: asRoundId("digits-9"),
      step: "mask" as const,
      member: 0,
      digest: claim(1).updateDigest,
      deadlineMs: START + 9_000,
      capability: new Uint8Array(32),
    };
    expect(give({ type: "message", message: step, now })).toMatchObject([
      { type: "send", message: { type: "decline", code: "federation/update-lost" } },
    ]);
  });
});
