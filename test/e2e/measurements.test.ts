import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAgent, readExamples, type Agent } from "@tributary/agent";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { asDeviceId, asPopulationName, asTaskName, seededRandom } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { isHeldOut, parseTaskSpec } from "@tributary/protocol";
import type { ParticipationEvent } from "@tributary/runtime";
import { tensor, writeSafetensors } from "@tributary/tensor";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";

const [EXAMPLES, PIXELS, CLASSES, SHARE] = [40, 784, 10, 0.5];
const folder = temporaryFolder();
const opened = new AsyncDisposableStack();
let coordinator: Coordinator;

beforeAll(async () => {
  opened.defer(() => folder.remove());
  coordinator = await createCoordinator({ dataDir: join(folder.path, "coordinator"), port: 0 });
  opened.defer(() => coordinator.close());
});
afterAll(() => opened.disposeAsync());

const api = () => createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
const random = seededRandom("measurements");

/** Images of ten classes, each bright in its own tenth; `shift` turns the labels into others. */
function examplesFile(shift: number): Uint8Array {
  const images = new Float32Array(EXAMPLES * PIXELS);
  const labels = new Int32Array(EXAMPLES);
  for (let i = 0; i < EXAMPLES; i++) {
    const shown = i % CLASSES;
    labels[i] = (shown + shift) % CLASSES;
    for (let p = 0; p < PIXELS; p++) {
      images[i * PIXELS + p] =
        (Math.floor((p * CLASSES) / PIXELS) === shown ? 0.8 : 0.1) + random.next() / 10;
    }
  }
  return writeSafetensors([
    ["images", tensor("float32", [EXAMPLES, 1, 28, 28], images)],
    ["labels", tensor("int32", [EXAMPLES], labels)],
  ]);
}

interface Member {
  readonly agent: Agent;
  readonly heldOut: boolean;
  readonly events: readonly ParticipationEvent[];
}

/** Agents until there are two that train and two that are held out; who trains learns labels turned by `shift`. */
async function fleet(name: string, shift: number, agents: AsyncDisposableStack): Promise<Member[]> {
  const members: Member[] = [];
  const enough = (heldOut: boolean) => members.filter((member) => member.heldOut === heldOut).length >= 2;
  for (let i = 0; !enough(true) || !enough(false); i++) {
    const events: ParticipationEvent[] = [];
    const enrolled = Promise.withResolvers<boolean>();
    const file = join(folder.path, `${name}-${i}.safetensors`);
    const agent = await createAgent({
      coordinator: coordinator.url,
      trust: "first-use",
      token: () => coordinator.mintEnrolmentToken(asPopulationName("default")),
      dataDir: join(folder.path, `${name}-device-${i}`),
      model: name,
      telemetry: true,
      // Which examples it has depends on what it is: known by its key.
      examples: async () => {
        await writeFile(file, examplesFile((await enrolled.promise) ? 0 : shift));
        return readExamples(file);
      },
      onEvent(event) {
        if (event.type === "enrolled") {
          enrolled.resolve(isHeldOut(asDeviceId(event.deviceId), asTaskName(name), SHARE));
        }
        if (event.type === "participation") events.push(event.event);
      },
    });
    agents.defer(() => agent.close());
    members.push({ agent, heldOut: await enrolled.promise, events });
    await agent.ready;
  }
  return members;
}

/** One round of training, and the gate's word on what it made. */
async function learn(name: string, shift: number, agents: AsyncDisposableStack) {
  await api().publishModel(name, buildLinear({ seed: 5 }));
  await api().createTask(
    parseTaskSpec({
      name,
      model: name,
      rounds: 1,
      local: { epochs: 2, learningRate: 0.1 },
      cohort: { goalCount: 2, minimumCount: 2, overSelection: 1 },
      gate: { heldOutShare: SHARE, minimumDevices: 2, patience: 1 },
      release: "on-gate",
      secureAggregation: { mode: "off" },
    }),
  );
  const members = await fleet(name, shift, agents);
  const version = await vi.waitFor(
    async () => {
      const [newest] = (await api().versions(name)).versions;
      expect(newest?.gate).toBeTruthy();
      return newest!;
    },
    { timeout: 60_000, interval: 50 },
  );
  return { members, version, model: await api().model(name), task: await api().task(name) };
}

test("a version that held-out devices find better is released; what runs there shows in telemetry", async () => {
  await using agents = new AsyncDisposableStack();
  const { members, version, model } = await learn("better", 0, agents);
  expect(version.gate).toMatchObject({ result: "passed", metric: "loss", reference: 1, devices: 2 });
  expect(version.gate?.examples).toBe(2 * EXAMPLES);
  expect(version.gate!.lower!).toBeGreaterThan(0);
  expect(model).toMatchObject({ currentVersion: 2, releasedVersion: 2 });
  for (const { agent, heldOut, events } of members) {
    const told = new Set(events.map(({ type }) => type));
    expect(told.has("trained") && told.has("measured")).toBe(false);
    expect(told.has(heldOut ? "trained" : "measured")).toBe(false);
    // Whoever did what, all run what was released.
    const handle = await agent.runtime.model("better");
    await vi.waitFor(() => expect(handle.version).toBe(2), { timeout: 20_000, interval: 20 });
  }

  const [first, second] = members;
  const run = async ({ agent }: Member, times: number): Promise<void> => {
    const handle = await agent.runtime.model("better");
    for (let i = 0; i < times; i++) {
      await handle.run({ [handle.state.inputs[0]!.name]: new Float32Array(PIXELS).fill(0.5) });
    }
  };
  await run(first!, 3);
  await run(second!, 2);
  for (const { agent } of [first!, second!]) {
    const handle = await agent.runtime.model("better");
    await handle.feedback({ version: 2, classes: [1, 2] }, [1, 3]);
    const shown = (await agent.runtime.metrics()).models.find(({ version }) => version === 2);
    expect(shown?.feedback).toEqual({ answers: 2, correct: 1, accuracy: 0.5 });
  }
  const { digest: reference } = await api().uploadBlob(examplesFile(0));
  await api().createTask(
    parseTaskSpec({
      name: "how-it-runs",
      model: "better",
      kind: "telemetry",
      reference,
      rounds: 1,
      cohort: { goalCount: 2, minimumCount: 2, overSelection: 1 },
      secureAggregation: { mode: "off" },
    }),
  );
  // A device looks for tasks when something about its models changes.
  for (const { agent } of [first!, second!]) {
    const handle = await agent.runtime.model("better");
    await handle.refresh();
    await handle.examples.add({ [handle.state.inputs[0]!.name]: new Float32Array(PIXELS), label: 7 });
  }
  const [measured] = await vi.waitFor(
    async () => {
      const list = (await api().measurements("how-it-runs")).measurements;
      expect(list).toHaveLength(1);
      return list;
    },
    { timeout: 30_000, interval: 50 },
  );
  expect(measured).toMatchObject({
    purpose: "telemetry",
    version: 2,
    devices: 2,
    counters: { runs: 5, "feedback.answers": 4, "feedback.correct": 2 },
  });
  // People gave two examples of a seven; the reference has all ten alike.
  expect(measured?.drift.find(({ metric }) => metric === "labels")).toMatchObject({
    reference: { source: "dataset", count: EXAMPLES },
    count: 2,
  });
  const { predictions, labels, "latency.ort-node": latency } = measured!.histograms;
  const total = (counts: readonly number[]): number => counts.reduce((sum, each) => sum + each, 0);
  expect(total(predictions!.counts)).toBe(5);
  expect(total(latency!.counts)).toBe(5);
  expect(labels!.counts[8]).toBe(2);
});

test("a version that held-out devices find worse is withheld, and the task pauses", async () => {
  await using agents = new AsyncDisposableStack();
  const { members, version, model } = await learn("worse", 3, agents);
  expect(version).toMatchObject({ version: 2, releasedAt: null });
  expect(version.gate).toMatchObject({ result: "failed", reference: 1, devices: 2 });
  expect(version.gate!.upper!).toBeLessThan(0);
  expect(model).toMatchObject({ currentVersion: 2, releasedVersion: 1 });
  const task = await api().task("worse");
  expect(task).toMatchObject({ gate: { failures: 1, reference: 1 } });
  expect(task.reason).toMatchObject({ code: "gate" });
  for (const { agent } of members) expect((await agent.runtime.model("worse")).version).toBe(1);
  // An operator may know better.
  await api().releaseVersion("worse", 2);
  expect(await api().model("worse")).toMatchObject({ releasedVersion: 2 });
  for (const { agent } of members) {
    const handle = await agent.runtime.model("worse");
    await vi.waitFor(() => expect(handle.version).toBe(2), { timeout: 20_000, interval: 20 });
  }
});
