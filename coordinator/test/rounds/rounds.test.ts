import { shareInterval } from "@tributary/metrics";
import { VERSION } from "../../src/version.ts";
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { asPopulationName, asRoundId, asTaskName, type Digest } from "@tributary/core";
import { initialRound, stepRound, type RoundConfig } from "@tributary/federation";
import { buildLinear } from "@tributary/onnx";
import { afterEach, describe, expect, test, vi } from "vitest";
import { journalInput } from "../../src/rounds/round-journal.ts";
import {
  bodyMaker,
  model,
  publishTask,
  rooms,
  startRoom,
  weightsOf,
  type Room,
  RoundDevice,
} from "./rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");
const once = { rounds: 1 };

async function devices(room: Room, count: number): Promise<RoundDevice[]> {
  const all = await Promise.all(Array.from({ length: count }, () => room.device()));
  for (const device of all) device.checkIn();
  return all;
}

/** They go once the version is stored. */
function expectNoUploads({ folder }: { readonly folder: string }): Promise<void> {
  return vi.waitFor(async () => expect(await readdir(join(folder, "uploads"))).toEqual([]));
}

/** Waits for a round to end, and returns its row. */
async function ended(room: Room, number = 1) {
  return vi.waitFor(
    async () => {
      const [round] = (await room.store.rounds.list(task)).filter(
        (row) => row.number === number && row.endedAt !== null,
      );
      expect(round).toBeDefined();
      return round!;
    },
    { timeout: 15_000, interval: 20 },
  );
}

describe("a round", () => {
  test("commits the mean weighted by examples, exactly, and tells everyone", async () => {
    const room = await open();
    await publishTask(room, { ...once, local: { maxExamples: 1_000 } });
    const body = await bodyMaker(room);
    const base = await weightsOf(room, 1);
    const all = await devices(room, 3);
    for (const { socket } of all)
      socket.send({ type: "subscribe", model, channel: "stable", runningVersion: 1 as never });

    // Issue 2, E: examples of 10, 1,000 and 17.
    const weights = [10, 1_000, 17];
    const updates = weights.map((_, device) =>
      base.map((_value, i) => Math.fround(Math.sin(i + device) * 0.01)),
    );
    await Promise.all(
      all.map((device, i) =>
        device.report((offer) => body(offer, { values: updates[i]!, numExamples: weights[i]! })),
      ),
    );
    for (const { socket } of all) {
      expect(await socket.next("outcome")).toMatchObject({ result: "committed", version: 2 });
      expect(await socket.next("release")).toMatchObject({ model, channel: "stable", version: 2 });
    }

    const total = 10 + 1_000 + 17;
    const expected = base.map((value, i) => {
      const mean = weights.reduce((sum, weight, device) => sum + weight * updates[device]![i]!, 0) / total;
      return Math.fround(value + Math.fround(mean));
    });
    expect(await weightsOf(room, 2)).toEqual(expected);

    const round = await ended(room);
    expect(round).toMatchObject({
      phase: "committed",
      version: 2,
      baseVersion: 1,
      offered: 3,
      ready: 3,
      cohort: 3,
      reported: 3,
      dropouts: 0,
      refused: 0,
      numExamples: total,
      trainLoss: 2,
      trainAccuracy: 0.5,
      reason: null,
    });
    expect(round.bytesUp).toBe(3 * body({ roundId: round.id, task }).bytes.length);
    expect(round.loss).toBeGreaterThan(0);
    expect(round.accuracy).toBeGreaterThanOrEqual(0);
    const version = await room.store.versions.get(model, 2 as never);
    expect(version).toMatchObject({
      parentVersion: 1,
      roundId: round.id,
      cohort: 3,
      numExamples: total,
      loss: round.loss,
    });
    const { plan, spec } = (await room.store.tasks.get(task))!;
    expect(version!.lineage).toMatchObject({
      madeBy: { kind: "task", task, plan: { number: 1, digest: plan.digest } },
      cohorts: [{ round: round.id, updates: 3, numExamples: total, staleness: null }],
      evaluation: { dataset: spec.evaluation.dataset },
      privacy: { epsilon: null, secureAggregation: null, maxUpdateNorm: spec.maxUpdateNorm },
      code: { coordinator: VERSION },
      dataSchema: {
        inputs: [{ name: "image", shape: [-1, 1, 28, 28] }],
        outputs: [{ name: "logits" }],
        labels: [{ dtype: "int32", shape: [-1] }],
      },
    });
    const { evaluation, intervals } = version!.lineage!;
    const bounds = shareInterval(version!.accuracy!, evaluation!.examples, 0.95);
    expect(intervals).toEqual({ accuracy: { ...bounds, confidence: 0.95 } });
    const published = (await room.store.versions.get(model, 1 as never))!.lineage!;
    expect(published).toMatchObject({
      madeBy: { kind: "operator", via: "process" },
      cohorts: [],
      evaluation: null,
      privacy: { epsilon: null, secureAggregation: null, maxUpdateNorm: null },
      dataSchema: { labels: null },
    });
    expect(published.dataSchema.digest).not.toBe(version!.lineage!.dataSchema.digest);
    await expectNoUploads(room);
    await vi.waitFor(async () => expect((await room.store.tasks.get(task))?.state).toBe("finished"));
  });

  test("counts what devices download for it", async () => {
    const room = await open();
    await publishTask(room, { rounds: 1, cohort: { goalCount: 2 } });
    const body = await bodyMaker(room);
    const all = await devices(room, 2);
    let sizeBytes = 0;
    await Promise.all(
      all.map(async (device) => {
        const offer = await device.offer();
        const weights = await fetch(`${room.url}/v1/blobs/${offer.weightsDigest}`);
        sizeBytes += (await weights.arrayBuffer()).byteLength;
        const update = body(offer);
        device.ready(offer, update);
        await device.put(await device.socket.next("request-report"), update);
      }),
    );
    expect((await ended(room)).bytesDown).toBe(sizeBytes);
  });

  // Issue 2, A.
  test("goes on without a member that vanished after it was selected", async () => {
    const room = await open();
    await publishTask(room, { ...once, cohort: { reportDeadlineMs: 4_000 } });
    const body = await bodyMaker(room);
    const [gone, ...others] = await devices(room, 3);
    const reports = others.map((device) => device.report((offer) => body(offer)));
    const offer = await gone!.offer();
    gone!.ready(offer, body(offer));
    await gone!.socket.next("request-report");
    await gone!.socket.close();
    await Promise.all(reports);
    const round = await ended(room);
    expect(round).toMatchObject({ phase: "committed", cohort: 3, reported: 2, dropouts: 1 });
    // When it came into each phase, and whom it had lost by then.
    expect(round.phases.map(({ phase, dropouts }) => [phase, dropouts])).toEqual([
      ["selecting", 0],
      ["training", 0],
      ["reporting", 0],
      ["aggregating", 1],
      ["committed", 1],
    ]);
    const times = round.phases.map(({ at }) => at);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.at(-1)).toBe(round.endedAt);
  });

  test("who asks in mid-phase is told the counts of that moment", async () => {
    const room = await open();
    await publishTask(room, once);
    const body = await bodyMaker(room);
    const [first] = await devices(room, 3);
    const offer = await first!.offer();
    first!.ready(offer, body(offer));
    await vi.waitFor(async () => {
      const [row] = await room.store.rounds.list(task);
      expect(row).toMatchObject({ phase: "training", offered: 3, ready: 1 });
    });
  });

  test("a member that reconnects is asked again and reports", async () => {
    const room = await open();
    await publishTask(room, once);
    const body = await bodyMaker(room);
    const [first, ...others] = await devices(room, 3);
    const offer = await first!.offer();
    const update = body(offer);
    first!.ready(offer, update);
    const reports = others.map((device) => device.report((other) => body(other)));
    await first!.socket.next("request-report");
    await first!.socket.close();
    const again = await RoundDevice.connect(room.url, first!.identity);
    again.checkIn();
    expect((await again.put(await again.socket.next("request-report"), update)).status).toBe(202);
    await Promise.all(reports);
    expect(await ended(room)).toMatchObject({ phase: "committed", reported: 3, dropouts: 0 });
  });

  test("the journal replays to the same counts", async () => {
    const room = await open();
    await publishTask(room, once);
    const body = await bodyMaker(room);
    const all = await devices(room, 3);
    await Promise.all(all.map((device) => device.report((offer) => body(offer))));
    const round = await ended(room);
    const config = round.config as unknown as RoundConfig;
    let state = initialRound(config);
    const entries = await room.store.journal.read(round.id);
    expect(entries.map(({ sequence }) => sequence)).toEqual(entries.map((_, i) => i + 1));
    for (const entry of entries) state = stepRound(config, state, journalInput(entry)).state;
    expect(state).toMatchObject({ phase: "committed", version: 2, counts: { reported: 3, cohort: 3 } });
    expect(JSON.stringify(entries)).not.toMatch(/[0-9.e-]+,[0-9.e-]+,[0-9.e-]+,[0-9.e-]+,/);
  });

  test("the journal holds what changes a round, at once, and nothing else", async () => {
    const room = await open();
    await publishTask(room, once);
    const device = await room.device();
    const [round] = await vi.waitFor(async () => {
      const rows = await room.store.rounds.open();
      expect(rows).toHaveLength(1);
      return rows;
    });
    const from = { device: device.identity.deviceId, population: asPopulationName("default") };
    const say = (message: Parameters<typeof room.rounds.handler.message>[1]) =>
      room.rounds.handler.message(from, message);
    for (let i = 0; i < 2_000; i++) say({ type: "check-in", task, examples: 0 });
    // Its start, and nothing else.
    expect((await room.store.journal.read(round!.id)).length).toBeLessThanOrEqual(1);
    for (let i = 0; i < 300; i++) {
      say({ type: "check-in", task, examples: 5 });
      say({ type: "leave", task });
    }
    await vi.waitFor(async () => expect(await room.store.journal.read(round!.id)).toHaveLength(601));
  });

  test("rounds follow each other, devices take turns", async () => {
    const room = await open();
    await publishTask(room, { rounds: 4, cohort: { goalCount: 2 }, selection: { fairness: 1 } });
    const body = await bodyMaker(room);
    const all = await devices(room, 4);
    const rounds: number[][] = all.map(() => []);
    await Promise.all(
      all.map(async (device, i) => {
        for (let turn = 0; turn < 2; turn++) {
          const { round } = await device.report((offer) => body(offer));
          rounds[i]!.push(round);
        }
      }),
    );
    const last = await ended(room, 4);
    expect(last.version).toBe(5);
    expect(rounds.flat().toSorted((a, b) => a - b)).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
  });
});

describe("what does not count", () => {
  /** Two good devices and one whose upload is bad; the round commits without it. */
  async function withBad(
    spec: Record<string, unknown>,
    bad: (
      device: RoundDevice,
      body: Awaited<ReturnType<typeof bodyMaker>>,
    ) => Promise<{ status: number; code: string | undefined }[]>,
  ) {
    const room = await open();
    await publishTask(room, { ...once, maxUpdateNorm: 50, ...spec });
    const body = await bodyMaker(room);
    const [device, ...others] = await devices(room, 3);
    const reports = others.map((other) => other.report((offer) => body(offer, { value: 0.25 })));
    const answers = await bad(device!, body);
    await Promise.all(reports);
    const refusals = await room.store.refusals.list({ deviceId: device!.identity.deviceId });
    return { room, answers, device: device!, refusals: refusals.map(({ code }) => code) };
  }

  async function untouched(room: Room & { readonly folder: string }) {
    const round = await ended(room);
    expect(round).toMatchObject({ phase: "committed", cohort: 3, reported: 2, refused: 1, dropouts: 0 });
    const [base, next] = [await weightsOf(room, 1), await weightsOf(room, 2)];
    expect(next).toEqual(base.map((value) => Math.fround(value + 0.25)));
    await expectNoUploads(room);
  }

  // Issue 2, B and C.
  test.each([
    ["NaN", { value: Number.NaN }, "update/not-finite"],
    ["infinity", { value: Number.POSITIVE_INFINITY }, "update/not-finite"],
    ["an absurd norm", { value: 1e30 }, "update/norm-too-large"],
    ["another number of values", { count: 7 }, "update/wrong-shape"],
    ["another schema", { schemaDigest: "ab".repeat(32) as Digest }, "update/wrong-shape"],
    ["another round", { roundId: asRoundId("digits-77") }, "update/mismatched-round"],
    ["more examples than the plan allows", { numExamples: 100_000 }, "update/invalid-weight"],
    ["metrics that are no metrics", { metrics: [Number.NaN, 0, 0, 0] }, "update/invalid-metrics"],
  ])("%s is refused, the sender noted, the model untouched", async (_, options, code) => {
    const { room, answers, refusals, device } = await withBad({}, async (device, body) => {
      const offer = await device.offer();
      const update = body(offer, options);
      device.ready(offer, update);
      return [await device.put(await device.socket.next("request-report"), update)];
    });
    expect(answers[0]).toMatchObject({ code });
    expect(answers[0]!.status).toBeGreaterThanOrEqual(400);
    expect(refusals).toEqual([code]);
    expect(await device.socket.next("outcome")).toMatchObject({ result: "refused", code });
    await untouched(room);
  });

  test("one value among many that is not finite is found, in any chunk", async () => {
    const room = await open();
    await publishTask(room, { ...once, cohort: { goalCount: 2 } }, "2nn");
    const body = await bodyMaker(room);
    const [bad, good] = await devices(room, 2);
    const count = (await room.registry.model(model)).parameterCount;
    const offer = await bad!.offer();
    const values = new Float32Array(count).fill(0.001);
    values[count - 1] = Number.NaN;
    const update = body(offer, { values });
    bad!.ready(offer, update);
    const report = good!.report((other) => body(other));
    const response = await fetch(`${room.url}/v1/rounds/${offer.roundId}/updates/${update.digest}`, {
      method: "PUT",
      headers: await bad!.headers(offer.roundId, update.digest, update.bytes.length),
      body: await bad!.socket.next("request-report").then(() => update.bytes),
    });
    expect(await response.json()).toMatchObject({
      code: "update/not-finite",
      data: { index: count - 1 },
    });
    await report;
    expect(await ended(room)).toMatchObject({ phase: "abandoned", reason: "round/too-few-reports" });
  });

  test("bytes that are no update, or not those announced, are refused; a whole one may still follow", async () => {
    const { room, answers, refusals } = await withBad({}, async (device, body) => {
      const offer = await device.offer();
      const update = body(offer, { value: 0.25 });
      device.ready(offer, update);
      const request = await device.socket.next("request-report");
      const flipped = Uint8Array.from(update.bytes);
      flipped[flipped.length - 1]! ^= 1;
      return [
        await device.put(request, update, update.bytes.slice(0, -8)),
        await device.put(request, update, Uint8Array.of(...update.bytes, 0)),
        await device.put(request, update, flipped),
        await device.put(request, update),
        await device.put(request, update),
      ];
    });
    expect(answers.map(({ code }) => code)).toEqual([
      "update/truncated",
      "update/too-large",
      "update/digest-mismatch",
      undefined,
      undefined,
    ]);
    // Only the body that was read to its end counts against the sender; the others were refused by their length.
    expect(refusals).toEqual(["update/digest-mismatch"]);
    expect(await ended(room)).toMatchObject({ phase: "committed", reported: 3, refused: 0 });
    expect(await weightsOf(room, 2)).toEqual(
      (await weightsOf(room, 1)).map((value) => Math.fround(value + 0.25)),
    );
  });

  test("garbage with the right digest is refused for good", async () => {
    const { room, answers, refusals } = await withBad({}, async (device, body) => {
      const offer = await device.offer();
      const update = body(offer);
      const bytes = new Uint8Array(500).fill(7);
      const garbage = {
        ...update,
        bytes,
        digest: createHash("sha256").update(bytes).digest("hex") as Digest,
      };
      device.ready(offer, garbage);
      const request = await device.socket.next("request-report");
      return [await device.put(request, garbage), await device.put(request, garbage)];
    });
    expect(answers.map(({ code }) => code)).toEqual(["update/invalid-header", "update/not-invited"]);
    expect(refusals).toEqual(["update/invalid-header"]);
    await untouched(room);
  });

  test("strangers, wrong proofs, unknown rounds and other digests are refused", async () => {
    const room = await open();
    await publishTask(room, once);
    const body = await bodyMaker(room);
    const [one, two, three] = await devices(room, 3);
    const offers = await Promise.all([one!.offer(), two!.offer(), three!.offer()]);
    const update = body(offers[0]!);
    for (const [i, device] of [one!, two!, three!].entries()) device.ready(offers[i]!, update);
    const request = await one!.socket.next("request-report");

    const stranger = await room.device();
    expect((await stranger.put(request, update)).code).toBe("update/not-invited");
    const other = body(offers[0]!, { value: 0.5 });
    const path = { ...request, uploadPath: `/v1/rounds/${request.roundId}/updates/${other.digest}` };
    expect((await one!.put(path, other)).code).toBe("update/digest-mismatch");
    const unknown = {
      ...path,
      roundId: asRoundId("digits-9"),
      uploadPath: `/v1/rounds/digits-9/updates/${other.digest}`,
    };
    expect((await one!.put(unknown, other)).code).toBe("round/unknown-round");

    const headers = await one!.headers(request.roundId, update.digest, update.bytes.length);
    const put = async (changed: Record<string, string>): Promise<string | undefined> => {
      const response = await fetch(`${room.url}${request.uploadPath}`, {
        method: "PUT",
        headers: changed,
        body: update.bytes,
      });
      return ((await response.json()) as { code?: string }).code;
    };
    const foreign = await two!.headers(request.roundId, update.digest, update.bytes.length);
    expect(await put({ ...headers, "tributary-proof": foreign["tributary-proof"]! })).toBe(
      "identity/invalid-proof",
    );
    expect(await put({ ...headers, authorization: "Bearer x" })).toBe("identity/invalid-certificate");
    expect(await put({ ...headers, authorization: "Tributary AAAA" })).toBe("identity/invalid-certificate");
    expect(await put({ ...headers, origin: "https://evil.example" })).toBe("http/origin-refused");
    expect(await put(headers)).toBeUndefined();
  });

  test("a late ready is told that it is late", async () => {
    const room = await open();
    await publishTask(room, once);
    const body = await bodyMaker(room);
    const all = await devices(room, 3);
    const offers = await Promise.all(all.map((device) => device.report((offer) => body(offer))));
    await ended(room);
    const late = all[0]!;
    await late.socket.next("outcome");
    late.ready(offers[0]!, body(offers[0]!));
    expect(await late.socket.next("outcome")).toMatchObject({ result: "late" });
    const update = body(offers[0]!);
    const path = {
      roundId: offers[0]!.roundId,
      uploadPath: `/v1/rounds/${offers[0]!.roundId}/updates/${update.digest}`,
    };
    await vi.waitFor(async () => expect((await late.put(path, update)).code).toBe("round/stale-round"));
  });
});

describe("lifecycle", () => {
  test("a paused task abandons its round, and goes on when it is resumed", async () => {
    const room = await open();
    await publishTask(room, once);
    const body = await bodyMaker(room);
    const all = await devices(room, 3);
    await Promise.all(all.map((device) => device.offer()));
    await room.registry.changeTask(task, { state: "paused" });
    for (const { socket } of all)
      expect(await socket.next("outcome")).toMatchObject({ code: "round/task-paused" });
    expect(await ended(room)).toMatchObject({ phase: "abandoned", reason: "round/task-paused" });
    await room.registry.changeTask(task, { state: "running" });
    await Promise.all(all.map((device) => device.report((offer) => body(offer))));
    expect(await ended(room, 2)).toMatchObject({ phase: "committed", version: 2 });
  });

  test("rounds that are asked for while the last one ends are never lost", async () => {
    const room = await open();
    await publishTask(room, { ...once, cohort: { goalCount: 1, minimumCount: 1 } });
    const body = await bodyMaker(room);
    const [device] = await devices(room, 1);
    const rounds = 25;
    let asked = 0;
    room.bus.subscribe("release", () => {
      // Later from round to round, so that some fall into each step of the driver's.
      void (async () => {
        for (let hop = 0; hop < asked * 6; hop++) await Promise.resolve();
        if (++asked < rounds) await room.registry.changeTask(task, { state: "running", moreRounds: 1 });
      })();
    });
    for (let round = 1; round <= rounds; round++) {
      expect((await device!.report((offer) => body(offer))).round).toBe(round);
    }
    expect(await ended(room, rounds)).toMatchObject({ phase: "committed" });
  });

  test("a version published meanwhile replaces the base: nobody trains in vain", async () => {
    const room = await open();
    await publishTask(room, once);
    const body = await bodyMaker(room);
    const all = await devices(room, 3);
    await Promise.all(all.map((device) => device.offer()));
    await room.registry.publish(model, buildLinear({ seed: 2 }));
    expect(await ended(room)).toMatchObject({ phase: "abandoned", reason: "round/base-replaced" });
    await Promise.all(all.map((device) => device.report((offer) => body(offer))));
    expect(await ended(room, 2)).toMatchObject({ baseVersion: 2, version: 3 });
  });

  test("an evaluation that fails abandons the round; the model stays", async () => {
    const room = await open();
    await publishTask(room, { ...once, cohort: { goalCount: 2 } });
    const spec = (await room.registry.task(task)).spec;
    await room.blobs.delete(spec.evaluation.dataset!);
    const body = await bodyMaker(room);
    const all = await devices(room, 2);
    await Promise.all(all.map((device) => device.report((offer) => body(offer))));
    expect(await ended(room)).toMatchObject({ phase: "abandoned", reason: "store/not-found", reported: 2 });
    for (const { socket } of all) expect(await socket.next("outcome")).toMatchObject({ result: "abandoned" });
    expect((await room.registry.model(model)).currentVersion).toBe(1);
  });

  test("after a stop at any phase a new start abandons what was open and never uses a number twice", async () => {
    const room = await open();
    await publishTask(room, { rounds: 3 });
    const body = await bodyMaker(room);
    const all = await devices(room, 3);
    const offers = await Promise.all(all.map((device) => device.offer()));
    all[0]!.ready(offers[0]!, body(offers[0]!));
    // As a crash leaves it: the row is open, the process is gone.
    const [row] = await room.store.rounds.open();
    expect(row).toMatchObject({ number: 1, endedAt: null });
    await room.stop();

    const next = await startRoom(room.folder);
    const first = await ended(next);
    expect(first).toMatchObject({ phase: "abandoned", reason: "round/interrupted" });
    const back = await Promise.all(Array.from({ length: 3 }, () => next.device()));
    for (const device of back) device.checkIn();
    const [offer] = await Promise.all(back.map((device) => device.report((other) => body(other))));
    expect(offer!.round).toBeGreaterThan(1);
    expect(await ended(next, offer!.round)).toMatchObject({ phase: "committed", baseVersion: 1, version: 2 });
    await next.stop();
  });

  test("a check-in for a task that is not there is refused, the session stays", async () => {
    const room = await open();
    const device = await room.device();
    device.checkIn();
    expect(await device.socket.next("refusal")).toMatchObject({ code: "federation/unknown-task" });
    device.socket.send({ type: "heartbeat", nonce: 1 });
    await device.socket.next("heartbeat-ack");
  });
});
