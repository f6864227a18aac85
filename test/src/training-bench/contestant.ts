import { ortNode, ortWasm, type TestEngine } from "../../../packages/onnx/test/support/engines.ts";
import { MODELS } from "./bench-model.ts";
import { matmulPeak } from "./matmul-peak.ts";
import { stepCase } from "./step-case.ts";
import type { Timed } from "./timed.ts";

/** What takes part, each in a process of its own: threads of WASM are settled once per process. */
export const CONTESTANTS = ["ort-web-1", "ort-web-2", "ort-node", "tfjs-wasm", "tfjs-cpu"] as const;
export type ContestantName = (typeof CONTESTANTS)[number];

export async function openContestant(
  name: ContestantName,
  models: readonly string[],
  batchSizes: readonly number[],
): Promise<readonly Timed[]> {
  const chosen = MODELS.filter((model) => models.includes(model.name));
  switch (name) {
    case "ort-web-1":
      return await ortCases(await ortWasm(1), chosen, batchSizes);
    case "ort-web-2":
      return await ortCases(await ortWasm(2), chosen, batchSizes);
    case "ort-node":
      return await ortCases(await ortNode(), chosen, batchSizes);
    case "tfjs-wasm":
    case "tfjs-cpu": {
      const { tfjsCase } = await import("./tfjs-case.ts");
      const { useTfjs } = await import("../../../packages/onnx/test/support/tfjs-backend.ts");
      await useTfjs(name === "tfjs-wasm" ? "wasm" : "cpu");
      return chosen.flatMap((model) => batchSizes.map((batchSize) => tfjsCase(model, batchSize)));
    }
  }
}

async function ortCases(
  engine: TestEngine,
  models: readonly (typeof MODELS)[number][],
  batchSizes: readonly number[],
): Promise<Timed[]> {
  const cases = [await matmulPeak(engine)];
  for (const model of models) {
    for (const batchSize of batchSizes) cases.push(await stepCase(engine, model, batchSize));
  }
  return cases;
}
