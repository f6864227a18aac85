import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator } from "@tributary/coordinator";
import { bindWeights, buildLinear, splitWeights } from "@tributary/onnx";
import { createRuntime } from "@tributary/runtime/node";
import { parameterSet } from "@tributary/tensor";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";

let opened = new AsyncDisposableStack();
beforeEach(() => void (opened = new AsyncDisposableStack()));
afterEach(() => opened.disposeAsync());

test("a device runs what its channel points to, hears of its moves alone, and keeps its version when the channel goes", async () => {
  const folder = temporaryFolder();
  opened.defer(() => folder.remove());
  const coordinator = await createCoordinator({
    dataDir: join(folder.path, "coordinator"),
    port: 0,
    logLevel: "silent",
  });
  opened.defer(() => coordinator.close());
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  const { graph, parameters } = splitWeights(buildLinear({ seed: 1 }));
  for (const scale of [1, 1.01, 1.02]) {
    const values = parameters.values.map((value, i) => (i % 50 === 0 ? scale * value : value));
    await api.publishModel("digits", bindWeights(graph, parameterSet(parameters.schema, values)));
  }
  await api.releaseVersion("digits", 1);
  await api.releaseVersion("digits", 2, { channel: "beta" });

  const device = async (name: string) => {
    const runtime = await createRuntime({
      coordinator: coordinator.url,
      trust: { root: coordinator.tufRoot },
      token: () => coordinator.mintEnrolmentToken("default" as never),
      dataDir: join(folder.path, name),
    });
    opened.defer(() => runtime.close());
    return runtime;
  };
  const [everybody, tester] = await Promise.all([device("everybody"), device("tester")]);
  const [stable, beta] = await Promise.all([
    everybody.model("digits"),
    tester.model("digits", { channel: "beta" }),
  ]);
  expect([stable.state, beta.state]).toMatchObject([
    { version: 1, channel: "stable" },
    { version: 2, channel: "beta" },
  ]);

  await api.releaseVersion("digits", 3, { channel: "beta" });
  await vi.waitFor(() => expect(beta.version).toBe(3), { timeout: 20_000, interval: 20 });
  // From the version that the channel pointed to before.
  expect((await tester.diagnose()).models[0]!.download).toMatchObject({ deltas: 1 });
  expect(stable.version).toBe(1);
  await api.releaseVersion("digits", 2, { channel: "beta" });
  await vi.waitFor(() => expect(beta.version).toBe(2), { timeout: 20_000, interval: 20 });

  await api.removeChannel("digits", "beta");
  expect((await beta.run({ image: new Float32Array(784) })).version).toBe(2);
  await tester.close();
  const again = await (await device("tester")).model("digits", { channel: "beta" });
  expect((await again.run({ image: new Float32Array(784) })).version).toBe(2);
  await expect((await device("late")).model("digits", { channel: "beta" })).rejects.toMatchObject({
    code: "runtime/unknown-model",
  });
  expect(stable.version).toBe(1);
}, 120_000);
