import { deleteDB } from "idb";
import { expect, test } from "vitest";
import { startPageRuntime } from "../fixtures/page-runtime.ts";
import { buildTfjsModel, tfjsModelAnswer } from "../fixtures/tfjs-model.ts";

test("a page runs a released model of TensorFlow.js in its worker, on WebGPU where that agrees", async () => {
  const database = `tfjs-${crypto.randomUUID()}`;
  const start = () => startPageRuntime(database, { prefer: "webgpu" });
  const first = start();
  await first.runtime.status();
  await first.release({ name: "dense", onnx: buildTfjsModel() });
  const dense = await first.runtime.model("dense", { variant: "float32" });
  expect(dense.state).toMatchObject({ engine: "tfjs-webgpu", variant: "float32" });
  const x = [1, 2, 3, 4];
  const answers = await Promise.all([dense.run({ y_input: x }), dense.run({ y_input: x.toReversed() })]);
  for (const [i, row] of [x, x.toReversed()].entries()) {
    const expected = tfjsModelAnswer(row).map((value) => expect.closeTo(value, 5) as number);
    expect(Array.from(answers[i]!.outputs["y"]!.data, Number)).toEqual(expected);
  }
  const { engines, models } = await first.runtime.diagnose();
  expect(engines.available).toEqual(["tfjs-cpu", "tfjs-webgpu"]);
  expect(models).toEqual([
    expect.objectContaining({
      model: "dense",
      reason: "insisted",
      tried: [
        expect.objectContaining({ engine: "tfjs-cpu", verdict: "reference" }),
        expect.objectContaining({ engine: "tfjs-webgpu", verdict: "agrees" }),
      ],
    }),
  ]);
  await first.runtime.close();
  await deleteDB(database);
});
