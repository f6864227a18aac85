import { asModelVersion, TributaryError, type DeviceId } from "@tributary/core";
import { describe, expect, test } from "vitest";
import {
  initialRound,
  invitationOf,
  roundCounts,
  roundDeadline,
  stepRound,
  type RoundConfig,
  type RoundEffect,
  type RoundInput,
  type RoundState,
} from "../src/index.ts";
import { claim, device, roundConfig, START } from "./fixtures.ts";

/** An input without its time; `at` is milliseconds after the start. */
type Timeless = RoundInput extends infer Input
  ? Input extends RoundInput
    ? Omit<Input, "now">
    : never
  : never;

class Driver {
  readonly config: RoundConfig;
  state: RoundState;
  now = START;

  constructor(config: RoundConfig) {
    this.config = config;
    this.state = initialRound(config);
    this.give({ type: "start" });
  }

  give(input: Timeless, at?: number): readonly RoundEffect[] {
    if (at !== undefined) this.now = START + at;
    const step = stepRound(this.config, this.state, { ...input, now: this.now } as RoundInput);
    this.state = step.state;
    return step.effects;
  }

  checkIn(...indices: number[]): readonly RoundEffect[] {
    return indices.flatMap((i) => this.give({ type: "check-in", device: device(i), examples: 100 }));
  }

  ready(...indices: number[]): readonly RoundEffect[] {
    return indices.flatMap((i) => this.give({ type: "ready", device: device(i), ...claim(i) }));
  }

  report(...indices: number[]): readonly RoundEffect[] {
    return indices.flatMap((i) =>
      this.give({ type: "report-accepted", device: device(i), digest: claim(i).updateDigest }),
    );
  }
}

/** "offer 1", "wake 60000", … with device indices and relative times. */
function describeEffects(effects: readonly RoundEffect[]): string[] {
  const indexOf = (id: DeviceId) => Array.from({ length: 20 }, (_, i) => i).find((i) => device(i) === id);
  return effects.map((effect) => {
    switch (effect.type) {
      case "send": {
        const { message } = effect;
        const what = message.type === "outcome" ? `${message.result}` : message.type;
        return `${what} ${indexOf(effect.device)}`;
      }
      case "wake-at":
        return `wake ${effect.at - START}`;
      case "secure-open":
        return `open ${effect.step}`;
      case "secure-step":
        return `${effect.step} ${indexOf(effect.device)}`;
      case "accumulate":
        return `accumulate ${indexOf(effect.device)}`;
      case "aggregate":
        return `aggregate ${effect.devices
          .map((id) => String(indexOf(id)))
          .toSorted((a, b) => a.localeCompare(b))
          .join(",")}`;
      case "ended":
        if (effect.result === "buffered") return "buffered";
        return effect.result === "committed" ? `committed v${effect.version}` : effect.code;
      case "carry":
        return `carry ${effect.devices.map((id) => indexOf(id)).join(",")}`;
    }
  });
}

describe("training", () => {
  test("begins when the minimum is there, and offers in the order of check-in up to the limit", () => {
    const round = new Driver(roundConfig());
    expect(describeEffects(round.checkIn(5))).toEqual(["wait 5"]);
    expect(round.state.phase).toBe("selecting");
    expect(roundDeadline(round.state)).toBeNull();
    expect(describeEffects(round.checkIn(3))).toEqual(["offer 5", "offer 3", "wake 60000"]);
    expect(describeEffects(round.checkIn(1, 2, 4))).toEqual(["offer 1", "offer 2", "wait 4"]);
    expect(roundCounts(round.state).offered).toBe(4);
  });

  test("gives a place that frees to the next in line", () => {
    const round = new Driver(roundConfig());
    round.checkIn(0, 1, 2, 3, 4, 5);
    expect(
      describeEffects(round.give({ type: "decline", device: device(1), code: "federation/busy" })),
    ).toEqual(["offer 4"]);
    expect(describeEffects(round.give({ type: "disconnect", device: device(0) }))).toEqual(["offer 5"]);
    // Whoever declined is not asked again; whoever lost the connection may go on.
    expect(describeEffects(round.checkIn(1))).toEqual(["wait 1"]);
    expect(describeEffects(round.checkIn(0))).toEqual(["offer 0"]);
  });

  test("a device without examples is never asked", () => {
    const round = new Driver(roundConfig());
    expect(describeEffects(round.give({ type: "check-in", device: device(0), examples: 0 }))).toEqual([
      "wait 0",
    ]);
    round.checkIn(1);
    expect(round.state.phase).toBe("selecting");
  });

  test("forms the cohort at the goal; the others are not needed and may stop", () => {
    const round = new Driver(roundConfig());
    round.checkIn(0, 1, 2, 3);
    round.ready(0, 1);
    const effects = round.ready(2);
    expect(describeEffects(effects).toSorted()).toEqual(
      ["request-report 0", "request-report 1", "request-report 2", "not-needed 3", "wake 20000"].toSorted(),
    );
    const request = effects.find((e) => e.type === "send" && e.message.type === "request-report");
    expect(request).toMatchObject({
      message: {
        uploadPath: expect.stringMatching(/^\/v1\/rounds\/digits-1\/updates\/[0-9a-f]{64}$/) as string,
        deadlineMs: START + 20_000,
      },
    });
    expect(describeEffects(round.ready(3))).toEqual(["late 3"]);
  });

  test("at the deadline the minimum is enough, less is not", () => {
    const enough = new Driver(roundConfig());
    enough.checkIn(0, 1, 2);
    enough.ready(0, 1);
    expect(describeEffects(enough.give({ type: "tick" }, 60_000))).toEqual(
      expect.arrayContaining(["request-report 0", "request-report 1", "not-needed 2"]),
    );
    const tooFew = new Driver(roundConfig());
    tooFew.checkIn(0, 1, 2);
    tooFew.ready(0);
    expect(describeEffects(tooFew.give({ type: "tick" }, 60_000))).toContain("round/too-few-ready");
    expect(tooFew.state.phase).toBe("abandoned");
  });

  test("what comes after the deadline is late even when no timer has fired", () => {
    const round = new Driver(roundConfig());
    round.checkIn(0, 1, 2);
    round.ready(0);
    round.now = START + 60_000;
    expect(describeEffects(round.ready(1))).toContain("late 1");
    expect(round.state.phase).toBe("abandoned");
  });

  test("a ready device whose connection broke is no member; back in time it is", () => {
    const round = new Driver(roundConfig({ minimumCount: 1 }));
    round.checkIn(0, 1, 2);
    round.ready(0, 1);
    round.give({ type: "disconnect", device: device(0) });
    round.ready(2);
    expect(round.state.phase).toBe("training");
    // It says ready again, and that is the third.
    round.checkIn(0);
    expect(round.state.phase).toBe("reporting");
    expect(roundCounts(round.state)).toMatchObject({ ready: 3, cohort: 3 });
  });

  test("zero examples are refused, with a code", () => {
    const round = new Driver(roundConfig());
    round.checkIn(0, 1);
    const effects = round.give({ type: "ready", device: device(0), ...claim(0, { numExamples: 0 }) });
    expect(effects).toContainEqual(
      expect.objectContaining({
        message: expect.objectContaining({ result: "refused", code: "update/invalid-weight" }) as object,
      }),
    );
  });
});

function reporting(more: Partial<RoundConfig> = {}): Driver {
  const round = new Driver(roundConfig(more));
  round.checkIn(0, 1, 2);
  round.ready(0, 1, 2);
  expect(round.state.phase).toBe("reporting");
  return round;
}

describe("reporting", () => {
  test("ends with the last report, and the commit is told to those who are in it", () => {
    const round = reporting();
    expect(describeEffects(round.report(0, 1))).toEqual(["accumulate 0", "accumulate 1"]);
    expect(describeEffects(round.report(2))).toEqual(["accumulate 2", "aggregate 0,1,2"]);
    round.give({ type: "aggregated" });
    const effects = describeEffects(round.give({ type: "committed", version: asModelVersion(2) }));
    expect(effects[0]).toBe("committed v2");
    expect(effects.slice(1).toSorted()).toEqual(["committed 0", "committed 1", "committed 2"]);
    expect(roundCounts(round.state)).toEqual({
      offered: 3,
      ready: 3,
      cohort: 3,
      reported: 3,
      dropouts: 0,
      refused: 0,
    });
  });

  // Issue 2, A.
  test("a member that vanishes is waited for during the grace, then the round goes on without it", () => {
    const round = reporting();
    round.report(0, 1);
    expect(describeEffects(round.give({ type: "disconnect", device: device(2) }, 1_000))).toEqual([
      "wake 6000",
    ]);
    expect(describeEffects(round.give({ type: "tick" }, 5_999))).toEqual(["wake 6000"]);
    expect(describeEffects(round.give({ type: "tick" }, 6_000))).toEqual(["aggregate 0,1"]);
    expect(roundCounts(round.state)).toMatchObject({ reported: 2, dropouts: 1 });
  });

  test("a member that is silent ends at the deadline", () => {
    const round = reporting();
    round.report(0, 1);
    expect(describeEffects(round.give({ type: "tick" }, 20_000))).toEqual(["aggregate 0,1"]);
    expect(describeEffects(round.report(2))).toEqual([]);
    expect(invitationOf(round.state, device(2)).status).toBe("closed");
  });

  test("a member that comes back gets the same invitation, as often as it comes", () => {
    const round = reporting();
    round.give({ type: "disconnect", device: device(2) }, 1_000);
    for (let i = 0; i < 3; i++) {
      expect(describeEffects(round.checkIn(2))).toContain("request-report 2");
    }
    round.report(0, 1);
    expect(round.state.phase).toBe("reporting");
    expect(invitationOf(round.state, device(2))).toEqual({ status: "invited", claim: claim(2) });
    round.report(2);
    expect(round.state.phase).toBe("aggregating");
  });

  test("an upload of a member whose socket is down counts too", () => {
    const round = reporting();
    round.give({ type: "disconnect", device: device(2) });
    expect(describeEffects(round.report(2))).toContain("accumulate 2");
  });

  test("nothing counts twice", () => {
    const round = reporting();
    expect(describeEffects(round.report(0))).toEqual(["accumulate 0"]);
    expect(describeEffects(round.report(0, 0))).toEqual([]);
    expect(describeEffects(round.ready(0, 0))).toEqual([]);
    expect(roundCounts(round.state)).toMatchObject({ ready: 3, cohort: 3, reported: 1 });
    expect(invitationOf(round.state, device(0)).status).toBe("reported");
  });

  test("a refused update leaves the others; too few reports are abandoned", () => {
    const round = reporting();
    expect(
      describeEffects(round.give({ type: "report-refused", device: device(0), code: "update/not-finite" })),
    ).toEqual(["refused 0"]);
    expect(invitationOf(round.state, device(0)).status).toBe("not-invited");
    round.report(1);
    const effects = describeEffects(
      round.give({ type: "decline", device: device(2), code: "federation/update-lost" }),
    );
    expect(effects[0]).toBe("round/too-few-reports");
    expect(roundCounts(round.state)).toMatchObject({ reported: 1, refused: 1, dropouts: 1 });
  });

  test("strangers and candidates are refused with a code", () => {
    const round = reporting();
    expect(describeEffects(round.ready(7))).toEqual(["refused 7"]);
    expect(invitationOf(round.state, device(7)).status).toBe("not-invited");
    expect(describeEffects(round.checkIn(7))).toEqual(["wait 7"]);
  });
});

describe("the end", () => {
  test.each(["selecting", "training", "reporting", "aggregating"] as const)(
    "can be called in %s",
    (phase) => {
      const round = phase === "selecting" || phase === "training" ? new Driver(roundConfig()) : reporting();
      if (phase === "training") round.checkIn(0, 1);
      if (phase === "aggregating") round.report(0, 1, 2);
      expect(round.state.phase).toBe(phase);
      const effects = describeEffects(round.give({ type: "abandon", code: "round/task-paused" }));
      expect(effects[0]).toBe("round/task-paused");
      expect(describeEffects(round.give({ type: "abandon", code: "round/interrupted" }))).toEqual([]);
      expect(round.state).toMatchObject({ phase: "abandoned", code: "round/task-paused" });
    },
  );

  test("a commit that nobody asked for is the driver's mistake", () => {
    const round = reporting();
    expect(() => round.give({ type: "committed", version: asModelVersion(2) })).toThrow(TributaryError);
  });

  test("rules that cannot be met are refused", () => {
    expect(() => initialRound(roundConfig({ minimumCount: 4 }))).toThrow(RangeError);
    expect(() => initialRound(roundConfig({ offerLimit: 2 }))).toThrow(RangeError);
    expect(() => initialRound(roundConfig({ reportDeadlineMs: 0 }))).toThrow(RangeError);
  });
});

test("a round of measurements offers them, with the candidate, and commits no version", () => {
  const base = roundConfig();
  const candidate = {
    version: asModelVersion(9),
    weightsTarget: "models/digits/versions/9/weights.safetensors",
    weightsDigest: base.plan.digest,
  };
  const driver = new Driver({ ...base, measurement: { purpose: "gate", candidate } });
  const offers = driver
    .checkIn(0, 1, 2, 3)
    .flatMap((effect) => (effect.type === "send" ? [effect.message] : []));
  const measurements = offers.filter(({ type }) => type !== "wait");
  expect(measurements).toHaveLength(4);
  for (const message of measurements) {
    expect(message).toMatchObject({
      type: "offer-measurement",
      baseVersion: base.baseVersion,
      candidate,
    });
  }
  driver.ready(0, 1, 2, 3);
  driver.report(0, 1, 2, 3);
  expect(driver.state.phase).toBe("aggregating");
  const told = driver.give({ type: "committed", version: null });
  expect(driver.state).toMatchObject({ phase: "committed", version: null });
  const outcomes = told.flatMap((effect) => (effect.type === "send" ? [effect.message] : []));
  expect(outcomes).toContainEqual({ type: "outcome", roundId: base.roundId, result: "committed" });
});
