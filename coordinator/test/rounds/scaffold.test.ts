import { decodeState, scaffoldServer } from "@tributary/aggregation";
import { asTaskName, TributaryError } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { parsePlan, type Offer } from "@tributary/protocol";
import { parameterSet, type ParameterSet } from "@tributary/tensor";
import { afterEach, expect, test, vi } from "vitest";
import { bodyMaker, model, publishTask, rooms, weightsOf, type Room } from "./rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");
const RATE = 0.1;

/** Two devices send an update each; resolves with their offer when its version is there. */
async function playRound(
  room: Room,
  updates: readonly Float32Array[],
  numExamples: readonly number[],
): Promise<Offer> {
  const body = await bodyMaker(room);
  const devices = await Promise.all(updates.map(() => room.device()));
  for (const device of devices) device.checkIn();
  const [offer] = await Promise.all(
    devices.map((device, i) =>
      device.report((to) => body(to, { values: updates[i]!, numExamples: numExamples[i]! })),
    ),
  );
  await devices[0]!.socket.next("outcome");
  await Promise.all(devices.map(({ socket }) => socket.close()));
  return offer!;
}

const wave = (length: number, phase: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => 0.01 * Math.sin(i + phase));

test("rounds make the coordinator's control of updates alone, release it, and offer it with the next round", async () => {
  const room = await open();
  await publishTask(room, {
    cohort: { goalCount: 2, minimumCount: 2 },
    local: { epochs: 2, batchSize: 10, learningRate: RATE },
    strategy: { name: "scaffold", parameters: { population: 8, learningRate: 0.5 } },
  });
  const { plan } = await room.registry.task(task);
  const { controlVariates, training, eligibility } = parsePlan(await room.blobs.bytes(plan.digest));
  expect([controlVariates, eligibility?.storage, training.webgpu]).toEqual([true, "durable", undefined]);
  expect(training.spec.gradientOffsets).toHaveLength(training.spec.parameters.length);

  const { parameters: schema } = await room.registry.model(model);
  let weights = Float32Array.from(await weightsOf(room, 1));
  const server = scaffoldServer({ learningRate: 0.5, population: 8 });
  let control: ParameterSet = server.init(parameterSet(schema));
  const expectRound = async (version: number, since: number, phase: number): Promise<Offer> => {
    const updates = [wave(weights.length, phase), wave(weights.length, phase + 1)];
    // 5 and 25 examples in batches of 10, twice: 2 and 6 steps.
    const offer = await playRound(room, updates, [5, 25]);
    const mean = (of: (i: number) => number) =>
      parameterSet(
        schema,
        Float32Array.from(weights, (_, i) => of(i)),
      );
    const change = mean(
      (i) => -control.values[i]! - (updates[0]![i]! / (2 * RATE) + updates[1]![i]! / (6 * RATE)) / 2,
    );
    const next = server.update(
      { update: mean((i) => (updates[0]![i]! + updates[1]![i]!) / 2), change, participants: 2 },
      control,
    );
    control = next.control;
    const made = await weightsOf(room, version);
    weights = weights.map((value, i) => value + next.step.values[i]!);
    made.forEach((value, i) => expect(value).toBeCloseTo(weights[i]!, 5));
    const stored = await room.store.optimizers.get(task);
    const target = await room.store.releases.target(`models/digits/controls/digits/${version}.safetensors`);
    expect(target).toMatchObject(stored!.state);
    const state = decodeState("scaffold", schema, await room.blobs.bytes(target!.digest));
    expect(state.numbers).toEqual({ since });
    state.sets["control"]!.values.forEach((value, i) => expect(value).toBeCloseTo(control.values[i]!, 5));
    return offer;
  };
  expect((await expectRound(2, 1, 1)).control).toBeUndefined();
  const first = await room.store.releases.target("models/digits/controls/digits/2.safetensors");
  expect((await expectRound(3, 1, 2)).control).toEqual({
    target: "models/digits/controls/digits/2.safetensors",
    digest: first!.digest,
  });
  // Of the newest version alone.
  expect(await room.store.releases.target("models/digits/controls/digits/2.safetensors")).toBeUndefined();

  // Whoever publishes other weights lets everybody's control begin anew.
  const published = await room.registry.publish(model, buildLinear({ seed: 9 }));
  weights = Float32Array.from(await weightsOf(room, published.version));
  control = server.init(parameterSet(schema));
  const again = await vi.waitFor(() => expectRound(published.version + 1, published.version, 3), {
    timeout: 15_000,
  });
  expect(again.control).toBeUndefined();
});

test("is refused when the task is created where it cannot be, with the reason", async () => {
  const room = await open();
  const refusal = async (spec: Record<string, unknown>): Promise<string> => {
    const strategy = { name: "scaffold", parameters: { population: 8 } };
    const error = await publishTask(room, { strategy, ...spec }).catch((reason: unknown) => reason);
    if (!TributaryError.is(error)) throw error;
    return `${error.code} ${String(error.detail["path"])}`;
  };
  const incompatible = "aggregation/incompatible-strategy";
  expect(await refusal({ secureAggregation: { mode: "on", minimumCohort: 3 } })).toBe(
    `${incompatible} /strategy/name`,
  );
  expect(await refusal({ mode: { type: "buffered", bufferSize: 9 } })).toBe(`${incompatible} /strategy/name`);
  expect(await refusal({ eligibility: { engines: ["ort-webgpu"] } })).toBe(
    `${incompatible} /eligibility/engines`,
  );
  expect(await room.store.tasks.list()).toEqual([]);
});
