import { build2nn, quantizeWeightsFile, splitWeights } from "@tributary/onnx";
import { encodeDelta, parametersToSafetensors, parameterSet, safetensorsRegions } from "@tributary/tensor";
import { expect, test } from "vitest";
import { derive } from "../../src/registry/derivation.ts";
import { APART_FROM_BYTES, deriveApart } from "../../src/registry/derive-apart.ts";

/** How often the event loop turned while a job was done. */
async function turnsDuring(job: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isDone = false;
  const turn = (): void => {
    if (isDone) return;
    turns += 1;
    setImmediate(turn);
  };
  setImmediate(turn);
  await job.finally(() => (isDone = true));
  return turns;
}

/** Weights of one parameter, and the same after a step. */
function pairOf(elements: number) {
  const schema = [{ name: "w", shape: [elements] }];
  const values = Float32Array.from({ length: elements }, (_, i) => Math.sin(i));
  const [base, next] = [values, values.map((value, i) => (i % 9 === 0 ? 1.01 * value : value))].map((of) =>
    parametersToSafetensors(parameterSet(schema, of)),
  );
  return { type: "delta" as const, base: base!, next: next!, layout: "safetensors" as const };
}

test("the delta of large files is made beside the event loop, and is the same", async () => {
  const small = pairOf(1_000);
  expect(await turnsDuring(deriveApart(small))).toBeLessThan(3);
  const large = pairOf(APART_FROM_BYTES / 8);
  const made = deriveApart(large);
  // Each turn is a request that is answered meanwhile.
  expect(await turnsDuring(made)).toBeGreaterThan(20);
  const { base, next } = large;
  expect(Buffer.compare((await made)!, encodeDelta(base, next, safetensorsRegions(next))!)).toBe(0);
});

test("what cannot be derived in a thread is the same error as here", async () => {
  const large = pairOf(APART_FROM_BYTES / 8);
  const job = { ...large, next: large.next.map(() => 255) };
  await expect(deriveApart(job)).rejects.toMatchObject({
    code: expect.stringMatching(/^safetensors\//) as string,
  });
});

test("a large model answers its row in the thread as it does here", async () => {
  const inputs = [{ name: "image", dtype: "float32" as const, shape: [-1, 1, 28, 28] }];
  const { graph, parameters } = splitWeights(build2nn({ seed: "apart", hidden: 600 }));
  const { bytes: int8 } = quantizeWeightsFile(parameters);
  const job = {
    type: "self-check" as const,
    format: "onnx" as const,
    inputs,
    graph,
    parameters,
    int8,
    seed: "row",
  };
  const [apart, here] = [await deriveApart(job), await derive(job)];
  expect(apart).toEqual(here);
  expect(apart!.float32[0]!.values).toHaveLength(10);
});
