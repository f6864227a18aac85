import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Runtime } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buildMatrixModel, times } from "../fixtures/matrix-model.ts";
import { startSite, type Site } from "../fixtures/site.ts";

const FIRST = [1, 2, 3, 4] as const;
const SECOND = [0.5, -1, 2, 0.25] as const;

let dataDir: string;
let site: Site;
let runtime: Runtime;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-chain-"));
  site = await startSite();
  await site.repository.releaseModel("first", buildMatrixModel(FIRST));
  await site.repository.releaseModel("second", buildMatrixModel(SECOND));
  runtime = await createRuntime({ coordinator: site.url, trust: { root: site.repository.root }, dataDir });
});
afterEach(async () => {
  await runtime.close();
  await site.close();
  await rm(dataDir, { recursive: true, force: true });
});

const open = async () =>
  await Promise.all(
    ["first", "second"].map((name) => runtime.model(name, { variant: "float32", update: "manual" })),
  );

test("models run one behind the other, and the last one's answer is the chain's", async () => {
  const [first, second] = await open();
  const chain = runtime.chain([{ model: first! }, { model: second! }, { model: second! }]);
  const [a, b] = await Promise.all([chain.run({ input: [1, 2] }), chain.run({ input: [-3, 0.5] })]);
  for (const [answer, x] of [
    [a, [1, 2]],
    [b, [-3, 0.5]],
  ] as const) {
    const expected = times(SECOND, times(SECOND, times(FIRST, x)));
    expect(Array.from(answer.outputs["MatMul.0"]!.data, Number)).toEqual(expected);
  }
  expect(a.version).toBe(1);
  const stop = new AbortController();
  stop.abort(new Error("enough"));
  await expect(chain.run({ input: [1, 2] }, { signal: stop.signal })).rejects.toThrow("enough");
});

test("what does not fit together is told before anything runs", async () => {
  const [first, second] = await open();
  const run = async (from: Readonly<Record<string, string>>) =>
    await runtime.chain([{ model: first! }, { model: second!, from }]).run({ input: [1, 2] });
  await expect(run({ input: "scores" })).rejects.toMatchObject({ code: "engine/unknown-output" });
  await expect(run({ images: "MatMul.0" })).rejects.toMatchObject({ code: "engine/unknown-input" });
  await expect(run({})).rejects.toMatchObject({ code: "engine/missing-input" });
  expect((await run({ input: "MatMul.0" })).outputs["MatMul.0"]!.shape).toEqual([1, 2]);
  await expect(runtime.chain([]).run({})).rejects.toThrow(RangeError);
});
