import { asModelVersion, asTaskName } from "@tributary/core";
import { bindWeights, buildLinear, splitWeights } from "@tributary/onnx";
import { deltaPath } from "@tributary/protocol";
import { applyDelta, parameterSet, parametersFromSafetensors } from "@tributary/tensor";
import { afterEach, expect, test } from "vitest";
import { int8WeightsPath, weightsPath } from "../../src/releases/target-paths.ts";
import { model, playRound, publishTask, rooms, startRoom, weightsOf, type Room } from "./rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

const task = asTaskName("digits");
const single = { goalCount: 1, minimumCount: 1, overSelection: 1 };
const wave = (length: number, phase: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => 0.01 * Math.sin(i * phase + phase));

/** The bytes of a target; undefined where there is none. */
async function target(room: Room, path: string): Promise<Uint8Array | undefined> {
  const found = await room.store.releases.target(path);
  return found && (await room.blobs.bytes(found.digest));
}

async function residualOf(room: Room): Promise<Float32Array> {
  const { residual } = (await room.store.optimizers.get(task))!;
  const { parameters } = await room.registry.model(model);
  return parametersFromSafetensors(parameters, await room.blobs.bytes(residual!.digest)).values;
}

test.each(["int8", "int4"])(
  "%s: each version is the one before and a signed step, bit for bit, and what rounding leaves out is not lost over a restart",
  async (stepPrecision) => {
    const room = await open();
    await publishTask(room, { cohort: single, stepPrecision });
    const first = await weightsOf(room, 1);
    const exact = Float64Array.from(first);
    const round = async (at: Room, phase: number): Promise<void> => {
      const update = wave(first.length, phase);
      const version = asModelVersion(await playRound(at, [update]));
      for (const [i, value] of update.entries()) exact[i]! += value;
      const [base, next] = await Promise.all(
        [version - 1, version].map((each) => target(at, weightsPath(model, asModelVersion(each)))),
      );
      const step = await target(at, deltaPath(weightsPath(model, version), version - 1));
      expect(applyDelta(base!, step!)).toEqual(next);
      expect(step!.length).toBeLessThan((stepPrecision === "int8" ? 0.25 : 0.14) * next!.length);
      // Error feedback: the weights and what is still to come are where unrounded steps would have led.
      const [weights, rest] = [await weightsOf(at, version), await residualOf(at)];
      expect(rest.some((value) => value !== 0)).toBe(true);
      for (const [i, value] of exact.entries()) expect(weights[i]! + rest[i]!).toBeCloseTo(value, 6);
    };
    await round(room, 1);
    await round(room, 2);
    await room.stop();
    const again = await startRoom(room.folder);
    try {
      await round(again, 3);
    } finally {
      await again.stop();
    }
  },
);

test("a step that is not rounded makes no delta, and keeps nothing back", async () => {
  const room = await open();
  await publishTask(room, { cohort: single });
  const version = asModelVersion(await playRound(room, [wave((await weightsOf(room, 1)).length, 1)]));
  expect(await target(room, deltaPath(weightsPath(model, version), 1))).toBeUndefined();
  expect(await room.store.optimizers.get(task)).toBeUndefined();
});

test("a published version gets deltas from the releases before it, which make its int8 weights", async () => {
  const room = await open();
  const { graph, parameters } = splitWeights(buildLinear({ seed: 1 }));
  for (let i = 0; i < 7; i++) {
    const values = parameters.values.map((value, k) => (k % 11 === 0 ? value * (1 - i / 20) : value));
    await room.registry.publish(model, bindWeights(graph, parameterSet(parameters.schema, values)));
  }
  const seven = asModelVersion(7);
  const full = (await target(room, int8WeightsPath(model, seven)))!;
  const from = async (version: number): Promise<Uint8Array | undefined> =>
    target(room, deltaPath(int8WeightsPath(model, seven), version));
  for (const version of [6, 2]) {
    const base = (await target(room, int8WeightsPath(model, asModelVersion(version))))!;
    const delta = (await from(version))!;
    expect(applyDelta(base, delta)).toEqual(full);
    expect(delta.length).toBeLessThan(0.2 * full.length);
  }
  for (const version of [1, 3, 4, 5]) expect(await from(version)).toBeUndefined();

  // Back to an earlier one: what devices run now is where they come from.
  await room.registry.release(model, asModelVersion(4));
  const back = await target(room, deltaPath(int8WeightsPath(model, asModelVersion(4)), 7));
  expect(applyDelta(full, back!)).toEqual(await target(room, int8WeightsPath(model, asModelVersion(4))));
});
