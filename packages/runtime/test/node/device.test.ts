import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeState, encodeState } from "@tributary/aggregation";
import type { Digest } from "@tributary/core";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { trainingMetrics, summarizeTraining } from "@tributary/metrics";
import { bindWeights } from "@tributary/onnx/bind";
import { decodeModel, encodeModel, splitWeights, type Node } from "@tributary/onnx";
import { decodeUpdateHeader, parseTaskSpec, updateValues, type Offer } from "@tributary/protocol";
import type { ParticipationEvent, Runtime, RuntimeEvent } from "@tributary/runtime";
import { dequantizeParameters, l2Norm, parameterSet, tensor } from "@tributary/tensor";
import { describe, expect, test, vi } from "vitest";
import { nodeRoom, type NodeRoom } from "../fixtures/node-room.ts";
import { startSite, type Site } from "../fixtures/site.ts";

let dataDir: string;
let site: Site;
let start: NodeRoom["start"];
nodeRoom((room) => ({ dataDir, site, start } = room));

async function nextEvent<E extends { type: string }, Type extends E["type"]>(
  events: AsyncIterable<E>,
  type: Type,
): Promise<Extract<E, { type: Type }>> {
  // Not `for await`: leaving it would end the stream for the next wait.
  const iterator = events[Symbol.asyncIterator]();
  for (;;) {
    const { done, value } = await iterator.next();
    if (done === true) throw new Error(`the events ended before "${type}"`);
    if (value.type === type) return value as Extract<E, { type: Type }>;
  }
}

const image = Float32Array.from({ length: 784 }, (_, i) => (i % 7) / 7);

describe("inference", () => {
  test("how it fares is shown to the page, version by version", async () => {
    const runtime = await start();
    const digits = await runtime.model("digits");
    expect(await runtime.metrics()).toMatchObject({ models: [] });
    for (let i = 0; i < 3; i++) await digits.run({ image });
    await digits.run({ image: new Float32Array(2 * 784) });
    await digits.examples.add({ image, label: 7 });
    const answer = await digits.run({ image });
    await site.repository.release(2);
    await digits.refresh();
    await digits.run({ image });
    // Of the version that answered, whichever runs by now.
    await digits.feedback(answer, answer.classes[0]!);
    await digits.feedback(answer, (answer.classes[0]! + 1) % 10);
    for (const label of [-1, 0.5, "seven", [1, 2]])
      await expect(digits.feedback(answer, label)).rejects.toMatchObject({
        code: "runtime/invalid-feedback",
      });
    const { models } = await runtime.metrics();
    expect(models.map(({ model, version, runs }) => [model, version, runs])).toEqual([
      ["digits", 2, 1],
      ["digits", 1, 5],
    ]);
    const [second, first] = models;
    expect(first!.feedback).toEqual({ answers: 2, correct: 1, accuracy: 0.5 });
    expect(second!.feedback).toEqual({ answers: 0, correct: 0, accuracy: null });
    const sum = (counts: readonly number[] = []) => counts.reduce((all, each) => all + each, 0);
    expect(first!.errors).toEqual({});
    expect(first!.latencyMs["ort-node"]!.count).toBe(5);
    expect(first!.latencyMs["ort-node"]!.p99).toBeGreaterThanOrEqual(first!.latencyMs["ort-node"]!.p50);
    // Of rows: one call had two.
    expect(sum(first!.predictions)).toBe(6);
    expect(sum(first!.confidence?.counts)).toBe(6);
    expect(Object.keys(first!.features)).toEqual(["image.mean", "image.deviation"]);
    expect(sum(first!.features["image.mean"]?.counts)).toBe(6);
    expect(first!.labels).toEqual(Array.from({ length: 10 }, (_, label) => (label === 7 ? 1 : 0)));
  });

  test("a model is fetched, verified and runs on int8 weights dequantized at load", async () => {
    const runtime = await start();
    const digits = await runtime.model("digits");
    expect(digits.state).toMatchObject({ version: 1, engine: "ort-node", channel: "stable" });
    const { outputs, probabilities, classes, version } = await digits.run({ image });
    expect(version).toBe(1);
    expect(probabilities.length).toBe(10);
    expect([...probabilities].reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    expect(probabilities[classes[0]!]).toBe(Math.max(...probabilities));
    // The same, put together by hand from what was released.
    const { repository } = site;
    const { graph } = splitWeights(repository.model);
    const int8 = repository.targets.get("models/digits/versions/1/weights.int8.safetensors")!.sha256;
    const weights = dequantizeParameters(repository.parameters.schema, repository.blobs.get(int8)!);
    const engine = await createOrtNodeEngine();
    const session = await engine.load(bindWeights(graph, weights));
    const { logits } = await session.run({ image: tensor("float32", [1, 1, 28, 28], image) });
    expect([...outputs["logits"]!.data]).toEqual([...logits!.data]);
    await engine.close();
    // Devices that only infer never download the float32 weights.
    const float32 = repository.targets.get("models/digits/versions/1/weights.safetensors")!.sha256;
    expect(site.requests.join("\n")).not.toContain(float32);
  });

  test("a release signed before models had several inputs runs as before", async () => {
    await site.repository.releaseModel("first", site.repository.model, 1);
    const model = await (await start()).model("first");
    expect(model.state).toMatchObject({
      inputs: [{ name: "image", dtype: "float32" }],
      outputs: [{ name: "logits" }],
    });
    expect((await model.run({ image })).classes).toHaveLength(1);
  });

  test("of a model that gives the class before its scores, probabilities are of the scores", async () => {
    const linear = decodeModel(site.repository.model);
    const { nodes, outputs } = linear.graph;
    const argMax: Node = {
      name: "",
      domain: "",
      opType: "ArgMax",
      inputs: ["logits"],
      outputs: ["class"],
      attributes: new Map(
        Object.entries({ axis: 1n, keepdims: 0n }).map(([name, value]) => [name, { type: "int", value }]),
      ),
    };
    const classFirst = encodeModel({
      ...linear,
      graph: {
        ...linear.graph,
        nodes: [...nodes, argMax],
        outputs: [{ name: "class", elementType: "int64", shape: ["batch"] }, ...outputs],
      },
    });
    await site.repository.releaseModel("class-first", classFirst);
    const model = await (await start()).model("class-first");
    const { outputs: given, probabilities, classes } = await model.run({ image });
    expect(probabilities).toHaveLength(10);
    expect(given["class"]).toEqual(tensor("int64", [1], BigInt64Array.of(BigInt(classes[0]!))));
  });

  test("flat batches, bytes and bad feeds", async () => {
    const runtime = await start();
    const digits = await runtime.model("digits");
    const two = await digits.run({ image: new Float32Array(2 * 784) });
    expect(two.classes.length).toBe(2);
    const bytes = await digits.run({ image: new Uint8Array(784).fill(255) });
    const floats = await digits.run({ image: new Float32Array(784).fill(1) });
    expect([...bytes.probabilities]).toEqual([...floats.probabilities]);
    await expect(digits.run({ image: new Float32Array(783) })).rejects.toMatchObject({
      code: "engine/input-mismatch",
    });
    await expect(digits.run({ picture: image })).rejects.toMatchObject({ code: "engine/missing-input" });
    await expect(digits.run({ image, picture: image })).rejects.toMatchObject({
      code: "engine/unknown-input",
    });
  });

  test("an unknown model is a coded error; the runtime lives", async () => {
    const runtime = await start();
    await expect(runtime.model("nothing")).rejects.toMatchObject({ code: "runtime/unknown-model" });
    expect((await runtime.model("digits")).version).toBe(1);
  });

  test("a pushed release is swapped in while requests are served, and told to the coordinator", async () => {
    const runtime = await start();
    const digits = await runtime.model("digits");
    const session = await site.session();
    expect(await session.next("subscribe")).toMatchObject({
      model: "digits",
      channel: "stable",
      runningVersion: 1,
    });
    const updates = digits.updates()[Symbol.asyncIterator]();
    let serving = true;
    const served = (async () => {
      const versions: number[] = [];
      while (serving) versions.push((await digits.run({ image })).version);
      return versions;
    })();
    await site.repository.release(2);
    session.send({
      type: "release",
      model: "digits" as never,
      channel: "stable",
      version: 2 as never,
      timestampVersion: site.repository.versions.timestamp,
    });
    expect((await updates.next()).value).toMatchObject({ version: 2, previousVersion: 1, applied: true });
    const running = await session.next("running");
    expect(running).toMatchObject({ model: "digits", version: 2 });
    expect(running.appliedAfterMs).toBeLessThan(2000);
    expect(digits.version).toBe(2);
    expect((await digits.run({ image })).version).toBe(2);
    serving = false;
    const versions = await served;
    expect(versions).toEqual(versions.toSorted((a, b) => a - b));
    await updates.return?.();
  });

  test("with update: manual a version waits until it is applied", async () => {
    const runtime = await start();
    const digits = await runtime.model("digits", { update: "manual" });
    const session = await site.session();
    await session.next("subscribe");
    const updates = digits.updates()[Symbol.asyncIterator]();
    await site.repository.release(2);
    session.send({
      type: "release",
      model: "digits" as never,
      channel: "stable",
      version: 2 as never,
      timestampVersion: site.repository.versions.timestamp,
    });
    const { value: update } = await updates.next();
    expect(update).toMatchObject({ version: 2, applied: false });
    expect(digits.state).toMatchObject({ version: 1, available: 2 });
    expect(await update.apply()).toMatchObject({ version: 2 });
    expect((await digits.run({ image })).version).toBe(2);
  });

  test("without network it starts from what was verified before", async () => {
    const first = await start();
    const before = await (await first.model("digits")).run({ image });
    await first.close();
    await site.close();
    const offline = await start();
    const digits = await offline.model("digits");
    const again = await digits.run({ image });
    expect([...again.probabilities]).toEqual([...before.probabilities]);
    await offline.close();
  });

  test("without network and without a copy: runtime/offline", async () => {
    await site.close();
    const runtime = await start();
    await expect(runtime.model("digits")).rejects.toMatchObject({ code: "runtime/offline" });
  });

  test("metadata of a foreign root is not believed", async () => {
    const other = await startSite();
    await other.repository.release(1);
    const runtime = await start({ trust: { root: other.repository.root } });
    await expect(runtime.model("digits")).rejects.toMatchObject({ code: expect.stringMatching(/^tuf\//) });
    await other.close();
  });

  test("a blob that is not what was signed for is never run", async () => {
    const { repository } = site;
    const int8 = repository.targets.get("models/digits/versions/1/weights.int8.safetensors")!;
    const damaged = repository.blobs.get(int8.sha256)!.slice();
    damaged[damaged.length - 1]! ^= 1;
    (repository.blobs as Map<string, Uint8Array>).set(int8.sha256, damaged);
    const runtime = await start();
    await expect(runtime.model("digits")).rejects.toMatchObject({ code: "transport/digest-mismatch" });
  });

  test("close settles everything, may be repeated, and ends the streams", async () => {
    const runtime = await start();
    const digits = await runtime.model("digits");
    const events = runtime.events();
    const pending = (async () => {
      for await (const _ of events);
      return "ended";
    })();
    await Promise.all([runtime.close(), runtime.close()]);
    expect(await pending).toBe("ended");
    await expect(digits.run({ image })).rejects.toMatchObject({ code: "runtime/closed" });
    await expect(runtime.model("digits")).rejects.toMatchObject({ code: "runtime/closed" });
  });
});

describe("rounds", () => {
  const offerOf = (site_: Site, changes: Partial<Offer> = {}): { type: "offer" } & Offer => {
    const { repository } = site_;
    const planTarget = "models/digits/plans/digits-task/1.json";
    const weightsTarget = "models/digits/versions/1/weights.safetensors";
    return {
      type: "offer",
      task: "digits-task" as never,
      roundId: "round-1" as never,
      round: 1,
      baseVersion: 1 as never,
      planTarget,
      planDigest: repository.targets.get(planTarget)!.sha256,
      weightsTarget,
      weightsDigest: repository.targets.get(weightsTarget)!.sha256,
      trainDeadlineMs: Date.now() + 60_000,
      timestampVersion: repository.versions.timestamp,
      trainingRound: 1,
      ...changes,
    };
  };

  async function participant(rules: Parameters<Site["repository"]["releasePlan"]>[2] = {}): Promise<{
    runtime: Runtime;
    events: AsyncIterableIterator<ParticipationEvent>;
  }> {
    await site.repository.releasePlan({}, "digits-task", rules);
    const runtime = await start();
    const digits = await runtime.model("digits");
    await digits.examples.addAll(
      Array.from({ length: 10 }, (_, i) => ({
        image: Uint8Array.from({ length: 784 }, (__, j) => (i * 31 + j * 7) % 256),
        label: i,
      })),
    );
    const participation = runtime.participate({ consent: true, task: "digits-task" });
    return { runtime, events: participation.events() as AsyncIterableIterator<ParticipationEvent> };
  }

  test("check in, train what was offered, upload when asked, hear the outcome", async () => {
    const { runtime, events } = await participant();
    const session = await site.session();
    expect(await session.next("check-in")).toEqual({ type: "check-in", task: "digits-task", examples: 10 });
    session.send(offerOf(site));
    const ready = await session.next("ready");
    expect(ready).toMatchObject({ roundId: "round-1", numExamples: 10 });
    session.send({
      type: "request-report",
      roundId: ready.roundId,
      deadlineMs: Date.now() + 10_000,
      uploadPath: `/v1/rounds/round-1/updates/${ready.updateDigest}`,
    });
    await nextEvent<ParticipationEvent, "uploaded">(events, "uploaded");
    const body = site.uploads.get(ready.updateDigest)!;
    expect(body.length).toBe(ready.sizeBytes);
    const { header, payloadOffset } = decodeUpdateHeader(body);
    expect(header).toMatchObject({ roundId: "round-1", task: "digits-task", numExamples: 10 });
    const update = updateValues(body.subarray(payloadOffset));
    expect(update.length).toBe(site.repository.parameters.values.length);
    expect(l2Norm(update)).toBeGreaterThan(0);
    const summary = summarizeTraining(Float64Array.from(header.metrics));
    expect(header.metrics.length).toBe(trainingMetrics.length);
    expect(summary).toMatchObject({ examples: 10, steps: 6 });
    expect(summary.loss).toBeGreaterThan(0);
    session.send({ type: "outcome", roundId: ready.roundId, result: "committed", version: 2 as never });
    expect(await nextEvent<ParticipationEvent, "outcome">(events, "outcome")).toMatchObject({
      result: "committed",
      version: 2,
    });
    expect(await runtime.status()).toMatchObject({
      roundsCommitted: 1,
      participation: "waiting",
      connection: "connected",
    });
  });

  test("what control variates need is kept in files from round to round, and goes with the examples", async () => {
    const { runtime, events } = await participant({ controlVariates: true });
    const session = await site.session();
    await session.next("check-in");
    const play = async (offer: { type: "offer" } & Offer): Promise<Float32Array> => {
      session.send(offer);
      const { roundId, updateDigest } = await session.next("ready");
      const uploadPath = `/v1/rounds/${roundId}/updates/${updateDigest}`;
      session.send({ type: "request-report", roundId, deadlineMs: Date.now() + 10_000, uploadPath });
      await nextEvent<ParticipationEvent, "uploaded">(events, "uploaded");
      session.send({ type: "outcome", roundId, result: "committed", version: 2 as never });
      await nextEvent<ParticipationEvent, "outcome">(events, "outcome");
      const body = site.uploads.get(updateDigest)!;
      return updateValues(body.subarray(decodeUpdateHeader(body).payloadOffset)).slice();
    };
    const { schema } = site.repository.parameters;
    const first = await play(offerOf(site));
    const folder = join(dataDir, "controls");
    const kept = join(folder, "digits@digits-task.safetensors");
    // 10 examples in batches of 4, twice: 6 steps at 0.1.
    const own = first.map((value) => -value / 0.6);
    await vi.waitFor(async () => {
      const { sets, numbers } = decodeState("scaffold-device", schema, await readFile(kept));
      expect(numbers).toEqual({ since: 1 });
      sets["own"]!.values.forEach((value, i) => expect(value).toBeCloseTo(own[i]!, 5));
    });

    // Everybody's gradients are one above the device's own, everywhere: that moves no probability, and each step by the rate.
    const target = "models/digits/controls/digits-task/1.safetensors";
    const { sets } = decodeState("scaffold-device", schema, await readFile(kept));
    const control = parameterSet(
      schema,
      sets["own"]!.values.map((value) => value + 1),
    );
    const state = { numbers: { since: 1 }, sets: { control } };
    await site.repository.releaseFile(target, encodeState("scaffold", state));
    const { sha256: digest } = site.repository.targets.get(target)!;
    const again = await play(offerOf(site, { roundId: "round-2" as never, control: { target, digest } }));
    const mean = (update: Float32Array): number =>
      update.reduce((sum, value) => sum + value, 0) / update.length;
    expect(mean(first)).toBeCloseTo(0, 5);
    expect(mean(again)).toBeCloseTo(-0.6, 5);

    await (await runtime.model("digits")).examples.clear();
    expect(await readdir(folder)).toEqual([]);
  });

  test("consent to training is given and withdrawn apart from that to telemetry", async () => {
    await site.repository.releasePlan();
    const runtime = await start();
    const digits = await runtime.model("digits");
    await digits.examples.add({ image, label: 3 });
    const participation = runtime.participate({ consent: { telemetry: true } });
    const session = await site.session();
    await session.next("subscribe");
    await participation.consent({ training: true });
    const checkIn = { type: "check-in", task: "digits-task", examples: 1 };
    expect(await session.next("check-in")).toEqual(checkIn);
    // What is left out stays as it is.
    await participation.consent({ telemetry: false });
    await participation.consent({ training: false });
    expect(await session.next("leave")).toEqual({ type: "leave", task: "digits-task" });
    await participation.consent({ training: true });
    expect(await session.next("check-in")).toEqual(checkIn);
    await participation.stop();
    await expect(participation.consent({ training: true })).rejects.toMatchObject({
      code: "federation/cancelled",
    });
  });

  test("nothing is said about a task without consent", async () => {
    await site.repository.releasePlan();
    const runtime = await start();
    await runtime.model("digits");
    expect(() => runtime.participate({ consent: false })).toThrow(
      expect.objectContaining({ code: "federation/no-consent" }),
    );
    const session = await site.session();
    await session.next("subscribe");
    session.send(offerOf(site));
    await site.repository.release(2);
    session.send({
      type: "release",
      model: "digits" as never,
      channel: "stable",
      version: 2 as never,
      timestampVersion: site.repository.versions.timestamp,
    });
    // The answer to the release comes, nothing to the offer.
    await session.next("running");
    expect(await runtime.status()).toMatchObject({ participation: "stopped" });
  });

  test("a plan or weights other than the release says are declined", async () => {
    await participant();
    const session = await site.session();
    await session.next("check-in");
    session.send(offerOf(site, { planDigest: "0".repeat(64) as Digest }));
    expect(await session.next("decline")).toMatchObject({ code: "federation/plan-refused" });
    session.send(offerOf(site, { roundId: "round-2" as never, weightsDigest: "0".repeat(64) as Digest }));
    expect(await session.next("decline")).toMatchObject({ code: "federation/plan-refused" });
    session.send(
      offerOf(site, { roundId: "round-3" as never, planTarget: "models/digits/plans/other/1.json" }),
    );
    expect(await session.next("decline")).toMatchObject({ code: "tuf/target-missing" });
    session.send(offerOf(site, { roundId: "round-4" as never, timestampVersion: 99 }));
    expect(await session.next("decline")).toMatchObject({ code: "tuf/rollback" });
  });

  test("a finished update survives a lost connection and is said again", async () => {
    await participant();
    const session = await site.session();
    await session.next("check-in");
    session.send(offerOf(site));
    const ready = await session.next("ready");
    session.drop();
    const again = await site.session();
    expect(await again.next("check-in")).toMatchObject({ task: "digits-task" });
    expect(await again.next("ready")).toEqual(ready);
  });

  test("a training that a newer offer makes useless is cancelled, and only the newer one is said", async () => {
    await participant();
    const session = await site.session();
    await session.next("check-in");
    session.send(offerOf(site));
    session.send(offerOf(site, { roundId: "round-2" as never, round: 2 }));
    expect(await session.next("ready")).toMatchObject({ roundId: "round-2" });
  });

  test("a device that the plan does not ask says which rule it does not meet, and nothing else", async () => {
    const { eligibility } = parseTaskSpec({ name: "t", model: "m", eligibility: { tags: ["kiosk"] } });
    await site.repository.releasePlan({}, "digits-task", { eligibility });
    const takePart = async (tags: readonly string[]) => {
      const runtime = await start({ tags });
      const digits = await runtime.model("digits");
      await digits.examples.add({ image: new Uint8Array(784), label: 3 });
      const participation = runtime.participate({ consent: true });
      return { runtime, participation, session: await site.session() };
    };
    const { runtime, participation, session } = await takePart(["phone"]);
    const told = nextEvent<ParticipationEvent, "ineligible">(participation.events(), "ineligible");
    expect(await session.next("ineligible")).toEqual({
      type: "ineligible",
      task: "digits-task",
      reason: "tags",
    });
    expect(await told).toMatchObject({ task: "digits-task", reason: "tags" });
    session.send(offerOf(site));
    expect(await session.next("decline")).toMatchObject({ code: "federation/ineligible" });
    await runtime.close();
    const { session: kiosk } = await takePart(["kiosk", "lobby"]);
    expect(await kiosk.next("check-in")).toMatchObject({ task: "digits-task" });
  });

  test("a device counts its participations itself: who asks again too soon is declined, after a restart too", async () => {
    const selection = { minimumSeparationMs: 0, minimumSeparationRounds: 1 };
    await site.repository.releasePlan({}, "digits-task", { selection });
    const takePart = async () => {
      const runtime = await start();
      const digits = await runtime.model("digits");
      await digits.examples.add({ image: new Uint8Array(784), label: 3 });
      runtime.participate({ consent: true });
      const session = await site.session();
      await session.next("check-in");
      return { runtime, session };
    };
    const offer = (round: number) => offerOf(site, { roundId: `round-${round}` as never, round });
    const first = await takePart();
    first.session.send(offer(1));
    await first.session.next("ready");
    await first.runtime.close();
    const { session } = await takePart();
    session.send(offer(2));
    expect(await session.next("decline")).toMatchObject({
      roundId: "round-2",
      code: "federation/too-soon",
    });
    session.send(offer(3));
    expect(await session.next("ready")).toMatchObject({ roundId: "round-3" });
  });

  test("stopping leaves the task", async () => {
    await site.repository.releasePlan();
    const runtime = await start();
    const digits = await runtime.model("digits");
    await digits.examples.add({ image: new Uint8Array(784), label: 3 });
    const participation = runtime.participate({ consent: true });
    const session = await site.session();
    await session.next("check-in");
    await participation.stop();
    expect(await session.next("leave")).toEqual({ type: "leave", task: "digits-task" });
    expect(participation.state).toBe("stopped");
    await participation.stop();
  });
});

describe("identity", () => {
  test("one device id over restarts, one enrolment while the certificate lasts", async () => {
    const first = await start();
    const { deviceId } = await site.session();
    await first.close();
    await start();
    expect((await site.session()).deviceId).toBe(deviceId);
    expect(site.enrolments).toBe(1);
  });

  test("a certificate is renewed before it expires, with a new token, under the same id", async () => {
    site.options = { certificateLeftMs: 60_000 };
    const first = await start();
    const connected = nextEvent<RuntimeEvent, "enrolled">(first.events(), "enrolled");
    const { deviceId } = await connected;
    await first.close();
    site.options = {};
    const before = site.enrolments;
    let asked = 0;
    await start({
      token: () => {
        asked += 1;
        return "good-token";
      },
    });
    expect((await site.session()).deviceId).toBe(deviceId);
    expect([asked, site.enrolments]).toEqual([1, before + 1]);
  });

  test("a bad token is told as a problem, and tried again later", async () => {
    const runtime = await start({ token: "bad-token" });
    const problem = await nextEvent<RuntimeEvent, "problem">(runtime.events(), "problem");
    expect(problem.code).toBe("identity/invalid-token");
    expect(await runtime.status()).toMatchObject({ connection: "offline" });
  });
});
