import { seededRandom } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { expect, test } from "vitest";
import { startCoordinator, temporaryFolder } from "../src/coordinator-process.ts";
import { createScriptedRound } from "../src/scripted-round.ts";

test("E: devices with 10 and 1,000 examples are weighted exactly", async () => {
  const folder = temporaryFolder();
  const coordinator = await startCoordinator({ dataDir: folder.path });
  try {
    const round = await createScriptedRound(coordinator, {
      model: buildLinear({ seed: "weights" }),
      devices: 2,
    });
    const random = seededRandom("weighting");
    const updates = [10, 1_000].map((numExamples) => ({
      numExamples,
      values: Float32Array.from(round.base.values, () => random.normal() * 0.1),
    }));
    await round.uploadAll((index) => updates[index]!);
    const view = await round.committed();
    expect(view.numExamples).toBe(1_010);
    const { values } = await round.weights(2);
    const [small, large] = updates;
    // The mean is exact to float64; the step it becomes is stored and applied as float32.
    const expected = Float32Array.from(round.base.values, (base, i) => {
      const mean = (small!.values[i]! * 10 + large!.values[i]! * 1_000) / 1_010;
      return base + Math.fround(mean);
    });
    expect(values).toEqual(expected);
    round.close();
  } finally {
    await coordinator.stop();
    folder.remove();
  }
});
