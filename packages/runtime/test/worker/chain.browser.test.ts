import { deleteDB } from "idb";
import { expect, test } from "vitest";
import { buildMatrixModel, times } from "../fixtures/matrix-model.ts";
import { startPageRuntime } from "../fixtures/page-runtime.ts";

const FIRST = [1, 2, 3, 4] as const;
const SECOND = [0.5, -1, 2, 0.25] as const;

test.each(["webgpu", "wasm"] as const)("a page chains models in its worker on %s", async (prefer) => {
  const database = `chain-${crypto.randomUUID()}`;
  const { runtime, release } = startPageRuntime(database, { prefer, softwareAdapter: "use" });
  await runtime.status();
  await release({ name: "first", onnx: buildMatrixModel(FIRST) });
  await release({ name: "second", onnx: buildMatrixModel(SECOND) });
  const first = await runtime.model("first", { variant: "float32" });
  const second = await runtime.model("second", { variant: "float32" });
  expect([first.state.engine, second.state.engine]).toEqual([`ort-${prefer}`, `ort-${prefer}`]);
  const { outputs } = await runtime.chain([{ model: first }, { model: second }]).run({ input: [1, 2] });
  const expected = times(SECOND, times(FIRST, [1, 2])).map((value) => expect.closeTo(value, 5) as number);
  expect(Array.from(outputs["MatMul.0"]!.data, Number)).toEqual(expected);
  // Each by itself still answers, too.
  expect((await first.run({ input: [1, 2] })).outputs["MatMul.0"]!.data).toEqual(Float32Array.of(7, 10));
  await runtime.close();
  await deleteDB(database);
});
