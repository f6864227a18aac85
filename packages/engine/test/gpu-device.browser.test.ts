import { tensor } from "@tributary/tensor";
import { expect, test } from "vitest";
import { importEntry } from "../src/ort-web-entry.ts";
import { openOrtWeb } from "../src/ort-web.ts";
import { tinyOnnx } from "../src/testing/tiny-onnx.ts";

test("a lost GPU is told by its code, again and again, and comes back when every session is gone", async () => {
  const web = await openOrtWeb({ softwareAdapter: "use" });
  const ort = await importEntry(web.entry);
  const model = tinyOnnx({
    nodes: [{ op: "Add", inputs: ["x", "x"], outputs: ["y"] }],
    inputs: { x: ["float32", [2]] },
    outputs: { y: ["float32", [2]] },
  });
  const feeds = { x: tensor("float32", [2], Float32Array.of(1, 2)) };
  for (let life = 0; life < 3; life++) {
    const session = await web.webgpu!.load(model);
    expect((await session.run(feeds))["y"]!.data).toEqual(Float32Array.of(2, 4));
    const device = (await ort.env.webgpu.device) as unknown as { destroy(): void };
    device.destroy();
    await expect(session.run(feeds)).rejects.toMatchObject({ code: "engine/device-lost", retryable: true });
    await session[Symbol.asyncDispose]();
  }
  const safe = await web.wasm.load(model);
  expect((await safe.run(feeds))["y"]!.data).toEqual(Float32Array.of(2, 4));
  await web.close();
});
