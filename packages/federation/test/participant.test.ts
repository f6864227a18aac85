import { asModelVersion, asRoundId, asTaskName, type RoundId } from "@tributary/core";
import type { Offer, ServerMessage } from "@tributary/protocol";
import { describe, expect, test } from "vitest";
import {
  initialParticipant,
  PARTICIPANT_DEFAULTS,
  stepParticipant,
  type LocalUpdate,
  type ParticipantConfig,
  type ParticipantEffect,
  type ParticipantInput,
  type ParticipantState,
} from "../src/index.ts";
import { claim, roundConfig, START } from "./fixtures.ts";

const config: ParticipantConfig = { task: asTaskName("digits"), ...PARTICIPANT_DEFAULTS };
const update: LocalUpdate = { ...claim(1), metrics: [1, 2, 3, 4] };

function offer(
  roundId: RoundId = asRoundId("digits-1"),
  more: Partial<Offer> = {},
): { type: "offer" } & Offer {
  const { task, round, baseVersion, plan, weights, timestampVersion } = roundConfig();
  return {
    type: "offer",
    task,
    roundId,
    round,
    baseVersion,
    planTarget: plan.target,
    planDigest: plan.digest,
    weightsTarget: weights.target,
    weightsDigest: weights.digest,
    trainDeadlineMs: START + 60_000,
    timestampVersion,
    trainingRound: round,
    ...more,
  };
}

const request = (roundId = asRoundId("digits-1")) =>
  ({
    type: "request-report",
    roundId,
    deadlineMs: START + 80_000,
    uploadPath: "/v1/rounds/x/updates/y",
  }) as const;

type Timeless = ParticipantInput extends infer Input
  ? Input extends ParticipantInput
    ? Omit<Input, "now">
    : never
  : never;

class Device {
  state: ParticipantState = initialParticipant();
  now = START;

  give(input: Timeless, at?: number): string[] {
    if (at !== undefined) this.now = START + at;
    const step = stepParticipant(config, this.state, { ...input, now: this.now } as ParticipantInput);
    this.state = step.state;
    return step.effects.map(describeEffect);
  }

  /** Connected, with consent and a trained update, as `ready` says. */
  static ready(): Device {
    const device = Device.willing();
    device.give({ type: "message", message: offer() });
    device.give({ type: "trained", roundId: asRoundId("digits-1"), ...update });
    return device;
  }

  static willing(): Device {
    const device = new Device();
    device.give({ type: "consent", granted: true, examples: 50 });
    device.give({ type: "connected" });
    return device;
  }
}

function describeEffect(effect: ParticipantEffect): string {
  switch (effect.type) {
    case "send":
      return effect.message.type === "decline" ? `decline ${effect.message.code}` : effect.message.type;
    case "notify":
      return `event ${effect.event.type}`;
    case "wake-at":
      return `wake ${effect.at - START}`;
    case "measure":
    case "train":
    case "cancel-training":
    case "carry-training":
    case "upload":
    case "cancel-upload":
    case "discard-update":
    case "cancel-secure-step":
      return effect.type;
    case "secure-step":
      return `secure-step ${effect.request.step}`;
  }
}

describe("check-in", () => {
  test("needs consent, examples and a connection", () => {
    const device = new Device();
    expect(device.give({ type: "connected" })).toEqual([]);
    expect(device.give({ type: "consent", granted: true, examples: 0 })).toEqual([]);
    expect(device.give({ type: "consent", granted: true, examples: 5 })).toEqual([
      "check-in",
      "event checked-in",
    ]);
    expect(device.give({ type: "consent", granted: true, examples: 6 })).toEqual([]);
  });

  test("is said again at a moment of the device's own choice within the window it was told", () => {
    const device = Device.willing();
    const message = { type: "wait", task: config.task, retryAfterMs: 4_000, windowMs: 10_000 } as const;
    expect(device.give({ type: "message", message, jitter: 0.25 })).toEqual(["wake 6500"]);
    // No coordinator sends a device away for longer than a day and a window of a day.
    const forever = { ...message, retryAfterMs: 2 ** 32 - 1, windowMs: 2 ** 32 - 1 };
    expect(device.give({ type: "message", message: forever, jitter: 0.5 })).toEqual([
      `wake ${36 * 3_600_000}`,
    ]);
  });

  test("gives way to the rule that the device does not meet, told once, until it meets it", () => {
    const device = new Device();
    device.give({ type: "consent", granted: true, examples: 5 });
    expect(device.give({ type: "eligibility", reason: "battery" })).toEqual([]);
    expect(device.give({ type: "connected" })).toEqual(["ineligible", "event ineligible"]);
    expect(device.give({ type: "eligibility", reason: "battery" })).toEqual([]);
    expect(device.give({ type: "message", message: offer() })).toEqual(["decline federation/ineligible"]);
    expect(device.give({ type: "eligibility", reason: "network" })).toEqual([
      "ineligible",
      "event ineligible",
    ]);
    expect(device.give({ type: "eligibility", reason: null })).toEqual(["check-in", "event checked-in"]);
    // What is trained is given up, what is trained already is given yet.
    device.give({ type: "message", message: offer() });
    expect(device.give({ type: "eligibility", reason: "battery" })).toEqual([
      "cancel-training",
      "decline federation/ineligible",
      "event failed",
      "ineligible",
      "event ineligible",
    ]);
    const ready = Device.ready();
    expect(ready.give({ type: "eligibility", reason: "battery" })).toEqual([]);
    expect(ready.give({ type: "message", message: request() })).toContain("upload");
    ready.give({ type: "uploaded", roundId: asRoundId("digits-1") });
    expect(
      ready.give({
        type: "message",
        message: { type: "outcome", roundId: asRoundId("digits-1"), result: "committed" },
      }),
    ).toContain("ineligible");
  });

  test("is said again after a reconnect, and after the time of a wait", () => {
    const device = Device.willing();
    expect(
      device.give({
        type: "message",
        message: { type: "wait", task: config.task, retryAfterMs: 4_000, windowMs: 0 },
      }),
    ).toEqual(["wake 4000"]);
    expect(device.give({ type: "tick" }, 3_999)).toEqual(["wake 4000"]);
    expect(device.give({ type: "tick" }, 4_000)).toEqual(["check-in"]);
    device.give({ type: "disconnected" });
    expect(device.give({ type: "connected" })).toEqual(["check-in", "event checked-in"]);
  });

  test("is said again when the task is not there yet; other refusals change nothing", () => {
    const device = Device.willing();
    const refusal = (code: string, task: string, retryAfterMs?: number): ServerMessage => ({
      type: "refusal",
      code,
      message: "no",
      detail: [{ key: "task", value: task }],
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    });
    const unknown = "federation/unknown-task";
    expect(device.give({ type: "message", message: refusal(unknown, "other") })).toEqual([]);
    expect(device.give({ type: "message", message: refusal("identity/revoked", config.task) })).toEqual([]);
    expect(device.give({ type: "message", message: refusal(unknown, config.task) })).toEqual(["wake 5000"]);
    expect(device.give({ type: "tick" }, 5_000)).toEqual(["check-in"]);
    expect(device.give({ type: "message", message: refusal(unknown, config.task, 9_000) }, 5_000)).toEqual([
      "wake 14000",
    ]);
    // An operator may release it: it asks again, and seldom.
    const quarantined = refusal("federation/quarantined", config.task);
    expect(device.give({ type: "message", message: quarantined }, 5_000)).toEqual(["wake 605000"]);
    expect(device.give({ type: "tick" }, 605_000)).toEqual(["check-in"]);
  });

  test("is taken back with the consent, and everything under way is dropped", () => {
    const device = Device.willing();
    device.give({ type: "message", message: offer() });
    expect(device.give({ type: "consent", granted: false, examples: 50 })).toEqual([
      "cancel-training",
      "leave",
    ]);
    expect(device.give({ type: "message", message: offer(asRoundId("digits-2")) })).toEqual([
      "decline federation/no-consent",
    ]);
    const ready = Device.ready();
    expect(ready.give({ type: "consent", granted: false, examples: 50 })).toEqual([
      "discard-update",
      "leave",
    ]);
  });
});

describe("a round", () => {
  test("goes from offer to outcome", () => {
    const device = Device.willing();
    expect(device.give({ type: "message", message: offer() })).toEqual([
      "event offered",
      "train",
      "wake 60000",
    ]);
    expect(device.give({ type: "trained", roundId: asRoundId("digits-1"), ...update })).toEqual([
      "event trained",
      "ready",
      "wake 120000",
    ]);
    expect(device.give({ type: "message", message: request() })).toEqual([
      "event reporting",
      "upload",
      "wake 80000",
    ]);
    expect(device.give({ type: "uploaded", roundId: asRoundId("digits-1") })).toEqual([
      "event uploaded",
      "wake 120000",
    ]);
    expect(
      device.give({
        type: "message",
        message: {
          type: "outcome",
          roundId: asRoundId("digits-1"),
          result: "committed",
          version: asModelVersion(2),
        },
      }),
    ).toEqual(["discard-update", "event outcome"]);
    expect(device.state.activity).toEqual({ type: "idle" });
  });

  test("the same offer again does not train twice, and a new round on another base replaces the old", () => {
    const device = Device.willing();
    device.give({ type: "message", message: offer() });
    expect(device.give({ type: "message", message: offer() })).toEqual([]);
    expect(
      device.give({
        type: "message",
        message: offer(asRoundId("digits-2"), { baseVersion: asModelVersion(2) }),
      }),
    ).toEqual(["cancel-training", "event offered", "train"]);
    // The old training ended after all.
    expect(device.give({ type: "trained", roundId: asRoundId("digits-1"), ...update })).toEqual([
      "discard-update",
    ]);
  });

  test("trains on through a lost connection and says ready when it is back", () => {
    const device = Device.willing();
    device.give({ type: "message", message: offer() });
    device.give({ type: "disconnected" });
    expect(device.give({ type: "trained", roundId: asRoundId("digits-1"), ...update })).toEqual([
      "event trained",
      "wake 120000",
    ]);
    expect(device.give({ type: "connected" })).toEqual(["check-in", "event checked-in", "ready"]);
  });

  test("declines what it cannot do", () => {
    const device = Device.willing();
    expect(device.give({ type: "message", message: offer(undefined, { trainDeadlineMs: START }) })).toEqual([
      "decline round/deadline-passed",
    ]);
    expect(device.give({ type: "message", message: request(asRoundId("digits-9")) })).toEqual([
      "decline federation/update-lost",
    ]);
    device.give({ type: "message", message: offer() });
    expect(
      device.give({
        type: "train-failed",
        roundId: asRoundId("digits-1"),
        code: "federation/training-failed",
      }),
    ).toEqual(["decline federation/training-failed", "event failed"]);
  });

  test("gives up training at its deadline", () => {
    const device = Device.willing();
    device.give({ type: "message", message: offer() });
    expect(device.give({ type: "tick" }, 60_000)).toEqual(["cancel-training", "event failed"]);
  });
});

describe("an upload", () => {
  const uploading = () => {
    const device = Device.ready();
    device.give({ type: "message", message: request() });
    return device;
  };

  test("that failed is tried again, ever later, up to the deadline", () => {
    const device = uploading();
    const fail = () =>
      device.give({
        type: "upload-failed",
        roundId: asRoundId("digits-1"),
        code: "transport/upload-failed",
        retryable: true,
      });
    const delays: number[] = [];
    for (let i = 0; i < 20; i++) {
      const before = device.now;
      const effects = fail();
      if (effects.includes("event failed")) break;
      const wake = effects.find((effect) => effect.startsWith("wake"))!;
      const at = Number(wake.split(" ")[1]);
      delays.push(START + at - before);
      expect(device.give({ type: "tick" }, at)).toContain("upload");
    }
    expect(delays.slice(0, 6)).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000]);
    expect(device.state.activity.type).toBe("idle");
    expect(device.now).toBeLessThan(START + 80_000);
  });

  test("that was refused is not", () => {
    const device = uploading();
    expect(
      device.give({
        type: "upload-failed",
        roundId: asRoundId("digits-1"),
        code: "update/not-finite",
        retryable: false,
      }),
    ).toEqual(["discard-update", "event failed"]);
  });

  test("under way is not begun twice; asked for after it was done, it is sent again", () => {
    const device = uploading();
    expect(device.give({ type: "message", message: request() })).toEqual([]);
    device.give({ type: "uploaded", roundId: asRoundId("digits-1") });
    expect(device.give({ type: "message", message: request() })).toContain("upload");
  });

  test("is cut off at the deadline", () => {
    const device = uploading();
    expect(device.give({ type: "tick" }, 80_000)).toEqual([
      "cancel-upload",
      "discard-update",
      "event failed",
    ]);
  });
});
