import { asModelVersion, asTaskName } from "@tributary/core";
import { addMetrics, createMetrics, pairedMetrics } from "@tributary/metrics";
import { build2nn, buildLinear } from "@tributary/onnx";
import { afterEach, describe, expect, test, vi } from "vitest";
import { measurementView } from "../../src/registry/measurement-view.ts";
import { ended, HELD_OUT_SHARE, paired, split, tell } from "./measuring-devices.ts";
import { bodyMaker, model, publishTask, rooms, type Room, type RoundDevice } from "./rounds-room.ts";
import { ScriptedMember } from "./secure-member.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");
const noReference = { dataset: undefined, first: undefined };

async function devices(room: Room, count: number): Promise<RoundDevice[]> {
  const all = await Promise.all(Array.from({ length: count }, () => room.device()));
  for (const device of all) device.checkIn();
  return all;
}

/** Two versions of the model, of which the first is what the channel points to. */
async function twoVersions(room: Room): Promise<void> {
  await room.registry.publish(model, buildLinear({ seed: 1 }));
  await room.registry.publish(model, buildLinear({ seed: 2 }));
  await room.registry.release(model, asModelVersion(1));
}

const cohort = {
  goalCount: 3,
  minimumCount: 2,
  overSelection: 1,
  trainDeadlineMs: 20_000,
  reportDeadlineMs: 10_000,
};
const evaluate = { name: "digits", model, kind: "evaluate", candidate: "newest", rounds: 1, cohort };
const plain = { secureAggregation: { mode: "off" } };

describe("a task that evaluates", () => {
  test("sums what devices measured of the released and the newest version, and makes no version", async () => {
    const room = await open();
    await twoVersions(room);
    await room.registry.createTask({ ...evaluate, ...plain });
    const all = await devices(room, 3);
    const vectors = [paired(3, 1), paired(2, 0), paired(0, 1)];
    const told = await Promise.all(all.map((device, i) => tell(room, device, vectors[i]!)));
    for (const { offer, answer } of told) {
      expect(answer.status).toBe(202);
      expect(offer).toMatchObject({ baseVersion: 1, candidate: { version: 2 } });
      expect(offer.weightsDigest).not.toBe(offer.candidate?.weightsDigest);
    }
    const outcome = await all[0]!.socket.next("outcome");
    expect(outcome).toMatchObject({ result: "committed" });
    expect(outcome).not.toHaveProperty("version");
    const round = await ended(room);
    expect(round).toMatchObject({ phase: "committed", purpose: "evaluate", version: null, numExamples: 30 });
    expect(round.accuracy).toBeCloseTo(28 / 30, 6);
    expect(await room.store.versions.count(model)).toBe(2);
    const [stored] = await room.store.measurements.list(task);
    const sum = createMetrics(pairedMetrics);
    for (const vector of vectors) addMetrics(sum, Float32Array.from(vector));
    expect(stored).toMatchObject({ version: 1, candidate: 2, devices: 3, purpose: "evaluate" });
    expect(stored!.sums).toEqual([...sum]);
    const view = measurementView(stored!, noReference);
    expect(view.comparison?.accuracy).toMatchObject({ lost: 2, gained: 5 });
    expect(view.comparison?.accuracy?.p).toBeCloseTo(0.453125, 12);
    expect(view.comparison?.accuracy?.difference).toBeCloseTo(0.1, 12);
    expect(view.comparison?.loss?.difference).toBeCloseTo(sum[5]! / 30, 12);
    expect(view.comparison?.loss?.designEffect).toBeGreaterThan(1);
    // Sums of before devices told how alike their examples are: the numbers stay, and nothing is concluded from them.
    const before = { ...stored!, metrics: stored!.metrics.slice(0, 9), sums: stored!.sums.slice(0, 9) };
    expect(measurementView(before, noReference)).toMatchObject({
      comparison: null,
      counters: { lost: 2, gained: 5 },
    });
  });

  test("sums the same under masks", async () => {
    const room = await open();
    await twoVersions(room);
    await room.registry.createTask({
      ...evaluate,
      secureAggregation: { mode: "on", minimumCohort: 3, phaseDeadlineMs: 3_000 },
    });
    const all = await devices(room, 3);
    const vectors = [paired(3, 1), paired(2, 0), paired(0, 1)];
    const members = await Promise.all(
      all.map((device, i) => ScriptedMember.measuring(room.url, device, vectors[i]!.slice())),
    );
    await Promise.all(members.map((member) => member.go("unmask")));
    expect(await ended(room)).toMatchObject({ phase: "committed", numExamples: 30 });
    const [stored] = await room.store.measurements.list(task);
    const sum = createMetrics(pairedMetrics);
    for (const vector of vectors) addMetrics(sum, vector);
    expect(stored!.devices).toBe(3);
    const whole = ["examples", "currentCorrect", "candidateCorrect", "lost", "gained"].concat([
      "deviceExampleSquares",
      "deviceGainSquares",
      "deviceGainProducts",
    ]);
    for (const [i, { name }] of stored!.metrics.entries()) {
      if (whole.includes(name)) expect(stored!.sums[i]).toBe(sum[i]);
      // A real is told to three codes of its range.
      else expect(Math.abs(stored!.sums[i]! - sum[i]!)).toBeLessThan(0.02);
    }
  });

  test("refuses vectors that nobody can have measured, and counts the others", async () => {
    const room = await open();
    await twoVersions(room);
    await room.registry.createTask({ ...evaluate, ...plain });
    const all = await devices(room, 3);
    const impossible = paired(3, 1);
    impossible[8] = 9;
    const answers = [
      tell(room, all[0]!, impossible),
      ...all.slice(1).map((device) => tell(room, device, paired(1, 0))),
    ];
    const [first, ...others] = await Promise.all(answers);
    expect(first!.answer).toEqual({ status: 422, code: "update/invalid-metrics" });
    for (const { answer } of others) expect(answer.status).toBe(202);
    expect(await ended(room)).toMatchObject({ phase: "committed", reported: 2, refused: 1 });
    expect((await room.store.measurements.list(task))[0]).toMatchObject({ devices: 2 });
  });

  test("runs beside one that trains the model, and goes on when a version comes", async () => {
    const room = await open();
    await publishTask(room, { name: "training" });
    await room.registry.createTask({ ...evaluate, ...plain, candidate: null });
    const [device] = await devices(room, 3);
    await device!.socket.next("offer-measurement");
    await room.registry.publish(model, buildLinear({ seed: 3 }));
    const [round] = await room.store.rounds.list(task);
    expect(round).toMatchObject({ phase: "training", baseVersion: 1 });
  });
});

const gate = {
  metric: "accuracy",
  heldOutShare: HELD_OUT_SHARE,
  minimumDevices: 2,
  confidence: 0.9,
  patience: 2,
};

/** The training devices report; the version that comes is what the others are offered. */
async function trained(room: Room, training: readonly RoundDevice[]): Promise<void> {
  const make = await bodyMaker(room);
  await Promise.all(training.map((device) => device.report((offer) => make(offer, { value: 0.001 }))));
}

describe("a gate", () => {
  test("releases what is better on held-out devices, withholds what is not, and pauses the task at last", async () => {
    const room = await open();
    await publishTask(room, {
      gate,
      release: "on-gate",
      evaluation: { dataset: null },
      cohort: { goalCount: 2 },
    });
    const { training, heldOut } = await split(room, 2, 2);
    const aliases = async () =>
      Object.fromEntries((await room.store.aliases.list(model)).map(({ name, version }) => [name, version]));
    heldOut[0]!.socket.send({
      type: "subscribe",
      model,
      channel: "stable",
      runningVersion: asModelVersion(1),
    });

    await trained(room, training);
    await vi.waitFor(async () => expect(await aliases()).toEqual({ champion: 1, candidate: 2 }));
    const offers = await Promise.all(heldOut.map((device) => tell(room, device, paired(6, 0))));
    for (const { offer } of offers) {
      expect(offer).toMatchObject({
        baseVersion: 1,
        candidate: { version: 2 },
        planTarget: "models/digits/measurements/digits/1.json",
      });
    }
    expect(await heldOut[0]!.socket.next("release")).toMatchObject({ version: 2 });
    expect(await ended(room, 2)).toMatchObject({ purpose: "gate", phase: "committed", baseVersion: 1 });
    expect(await room.store.models.get(model)).toMatchObject({ currentVersion: 2, releasedVersion: 2 });
    expect((await room.store.versions.get(model, asModelVersion(2)))?.gate).toMatchObject({
      result: "passed",
      devices: 2,
      examples: 20,
      improvement: 0.6,
    });

    expect(await aliases()).toEqual({ champion: 2 });

    // Twice no better than the version that passed: training goes on from the newest all the same.
    for (const [round, head] of [
      [4, 3],
      [6, 4],
    ] as const) {
      await trained(room, training);
      const told = await Promise.all(heldOut.map((device) => tell(room, device, paired(1, 3))));
      for (const { offer } of told)
        expect(offer).toMatchObject({ baseVersion: 2, candidate: { version: head } });
      expect(await ended(room, round)).toMatchObject({ purpose: "gate", phase: "committed" });
      expect(await room.store.models.get(model)).toMatchObject({ currentVersion: head, releasedVersion: 2 });
      expect(await ended(room, round - 1)).toMatchObject({
        purpose: "train",
        baseVersion: head - 1,
        version: head,
      });
    }
    const stored = await vi.waitFor(async () => {
      const now = await room.store.tasks.get(task);
      expect(now?.state).toBe("paused");
      return now!;
    });
    expect(stored.gate).toMatchObject({
      reference: 2,
      candidate: null,
      failures: 2,
      last: { result: "failed" },
    });
    expect(await aliases()).toEqual({ champion: 2 });
    expect(stored.reason).toMatchObject({
      code: "gate",
      message: expect.stringMatching(/2 versions in a row did not pass/),
    });
    expect(await room.store.rounds.countCommitted(task)).toBe(3);

    // Whoever lets it go on gives it all its patience again.
    const again = await room.registry.changeTask(task, { state: "running" });
    expect(again).toMatchObject({ reason: null, gate: { failures: 0, reference: 2 } });
    await expect(room.registry.release(model, asModelVersion(9))).rejects.toMatchObject({
      code: "coordinator/unknown-version",
    });
    await room.registry.release(model, asModelVersion(4));
    expect(await room.store.models.get(model)).toMatchObject({ currentVersion: 4, releasedVersion: 4 });

    // Who or what did each of it, in the order in which it was done.
    const recorded = (await room.store.audit.read(0, 100)).flatMap(({ action, actor, object, detail }) =>
      action === "round.abandon"
        ? []
        : [[action, actor.kind, object.version, object.round, detail["result"]]],
    );
    expect(recorded.slice(recorded.findIndex(([action]) => action === "round.commit"))).toEqual([
      ["round.commit", "coordinator", 2, "digits-1", undefined],
      ["gate.verdict", "coordinator", 2, "digits-2", "passed"],
      ["model.release", "coordinator", 2, undefined, undefined],
      ["round.commit", "coordinator", 3, "digits-3", undefined],
      ["gate.verdict", "coordinator", 3, "digits-4", "failed"],
      ["round.commit", "coordinator", 4, "digits-5", undefined],
      ["gate.verdict", "coordinator", 4, "digits-6", "failed"],
      ["task.pause-automatic", "coordinator", undefined, undefined, undefined],
      ["task.resume", "operator", undefined, undefined, undefined],
      ["model.release", "operator", 4, undefined, undefined],
    ]);
    const [paused] = await room.store.audit.list({ action: "task.pause-automatic" }, { limit: 1 });
    expect(paused).toMatchObject({
      actor: { task, round: "digits-6" },
      detail: { reason: { code: "gate" } },
    });
  });

  test("decides nothing where too few devices are held out, and training goes on", async () => {
    const room = await open();
    await publishTask(room, {
      gate,
      release: "on-gate",
      rounds: 2,
      evaluation: { dataset: null },
      cohort: { goalCount: 2, trainDeadlineMs: 400 },
    });
    const { training } = await split(room, 2, 0);
    await trained(room, training);
    expect(await ended(room, 2)).toMatchObject({
      purpose: "gate",
      phase: "abandoned",
      reason: "round/too-few-ready",
    });
    await trained(room, training);
    expect(await ended(room, 3)).toMatchObject({ purpose: "train", phase: "committed", version: 3 });
    // The last version has its verdict before the task is finished.
    expect(await ended(room, 4)).toMatchObject({ purpose: "gate", phase: "abandoned" });
    await vi.waitFor(async () => expect((await room.store.tasks.get(task))?.state).toBe("finished"));
    expect((await room.store.versions.get(model, asModelVersion(2)))?.gate).toMatchObject({
      result: "undecided",
    });
    expect((await room.store.tasks.get(task))?.gate).toMatchObject({ reference: 1, failures: 0 });
    expect(await room.store.models.get(model)).toMatchObject({ releasedVersion: 1, currentVersion: 3 });
  });

  test("of a published version begins anew", async () => {
    const room = await open();
    await publishTask(room, {
      gate,
      release: "manual",
      evaluation: { dataset: null },
      cohort: { goalCount: 2 },
    });
    const { training, heldOut } = await split(room, 2, 2);
    await trained(room, training);
    await Promise.all(heldOut.map((device) => device.socket.next("offer-measurement")));
    expect((await room.registry.version(model, "candidate")).version).toBe(2);
    await room.registry.publish(model, buildLinear({ seed: 9 }));
    await expect(room.registry.version(model, "candidate")).rejects.toMatchObject({
      code: "coordinator/unknown-alias",
    });
    expect(await ended(room, 2)).toMatchObject({ purpose: "gate", reason: "round/base-replaced" });
    expect((await room.store.tasks.get(task))?.gate).toMatchObject({ reference: 3, candidate: null });
    await trained(room, training);
    const told = await Promise.all(heldOut.map((device) => tell(room, device, paired(6, 0))));
    expect(told[0]!.offer).toMatchObject({ baseVersion: 3, candidate: { version: 4 } });
    await ended(room, 4);
    // It passed; whether it is released is the operator's to say.
    expect(await room.store.models.get(model)).toMatchObject({ currentVersion: 4, releasedVersion: 3 });
    expect((await room.store.versions.get(model, asModelVersion(4)))?.gate?.result).toBe("passed");
  });

  test("on accuracy needs a loss that knows hits, and a candidate a version", async () => {
    const room = await open();
    await room.registry.publish(model, build2nn({ seed: 1 }));
    const gated = { name: "digits", model, ...plain, gate, loss: { kind: "mse" } };
    await expect(room.registry.createTask(gated)).rejects.toMatchObject({
      code: "coordinator/invalid-task",
      detail: { path: "/gate/metric" },
    });
    await expect(room.registry.createTask({ ...evaluate, ...plain, candidate: 7 })).rejects.toMatchObject({
      code: "coordinator/unknown-version",
    });
    await expect(
      room.registry.createTask({ ...evaluate, ...plain, candidate: "nothing" }),
    ).rejects.toMatchObject({ code: "coordinator/unknown-alias" });
    const named = await room.registry.createTask({ ...evaluate, ...plain, candidate: "champion" });
    expect(named.spec.candidate).toBe(1);
  });
});
