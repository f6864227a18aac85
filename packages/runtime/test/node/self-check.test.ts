import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@tributary/core";
import type { Engine, Session } from "@tributary/engine";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { sampleFeeds } from "@tributary/engine/sample-feeds";
import { expectedOutputs } from "@tributary/engine/self-check";
import { bindWeights, quantizeWeightsFile, splitWeights } from "@tributary/onnx";
import type { ModelManifest } from "@tributary/protocol";
import { dequantizeParameters, parameterSet, tensor, type ParameterSet } from "@tributary/tensor";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Runtime, RuntimeEvent } from "../../src/index.ts";
import { createRuntime } from "../../src/node.ts";
import { startSite, type Site, type SiteSession } from "../fixtures/site.ts";

// Before a version takes the place of the one that runs, it has to answer as it did where it was published.

const IMAGE = [{ name: "image", dtype: "float32" as const, shape: [-1, 1, 28, 28] }];

let site: Site;
let dataDir: string;
let runtime: Runtime;
let native: Engine;
/** By how much outputs are wrong on this device: what a faulty driver does. */
let fault: number;
let loads: number;

beforeEach(async () => {
  [fault, loads] = [0, 0];
  native = await createOrtNodeEngine();
  const engine: Engine = {
    ...native,
    async load(model, options) {
      loads += 1;
      const session = await native.load(model, options);
      const wrong = fault;
      return {
        ...session,
        async run(feeds, runOptions) {
          const outputs = await session.run(feeds, runOptions);
          return Object.fromEntries(
            Object.entries(outputs).map(([name, { shape, data }]) => [
              name,
              tensor(
                "float32",
                shape,
                (data as Float32Array).map((value) => value * (1 + wrong)),
              ),
            ]),
          );
        },
        [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
      } satisfies Session;
    },
  };
  site = await startSite();
  dataDir = await mkdtemp(join(tmpdir(), "tributary-self-check-"));
  await site.repository.release(1, undefined, await signedCheck(1));
  runtime = await createRuntime({
    coordinator: site.url,
    trust: { root: site.repository.root },
    token: "good-token",
    dataDir,
    engine,
    log: silentLogger,
  });
});
afterEach(async () => {
  await runtime.close();
  await site.close();
  await native.close();
  await rm(dataDir, { recursive: true, force: true });
});

function weightsOf(version: number): ParameterSet {
  const { schema, values } = site.repository.parameters;
  return parameterSet(
    schema,
    values.map((v) => v + version / 100),
  );
}

/** As a coordinator signs it. */
async function signedCheck(version: number): Promise<Pick<ModelManifest, "selfCheck">> {
  const { graph } = splitWeights(site.repository.model);
  const seed = `version ${version}`;
  const answers = async (weights: ParameterSet) => {
    await using session = await native.load(bindWeights(graph, weights));
    return expectedOutputs(await session.run(sampleFeeds(IMAGE, seed)))!;
  };
  const weights = weightsOf(version);
  const int8 = dequantizeParameters(weights.schema, quantizeWeightsFile(weights).bytes);
  return {
    selfCheck: { seed, tolerance: 1e-3, float32: await answers(weights), int8: await answers(int8) },
  };
}

async function push(session: SiteSession, version: number, more: Partial<ModelManifest>): Promise<void> {
  await site.repository.release(version, undefined, more);
  session.send({
    type: "release",
    model: "digits" as never,
    channel: "stable",
    version: version as never,
    timestampVersion: site.repository.versions.timestamp,
  });
}

async function next(type: RuntimeEvent["type"], version: number): Promise<RuntimeEvent> {
  for await (const event of runtime.events()) {
    if (event.type === type && "version" in event && event.version === version) return event;
  }
  throw new Error(`the events ended before "${type}"`);
}

const image = new Uint8Array(784).fill(9);

test("a version that answers otherwise here stays outside, is told once, and the next good one runs", async () => {
  const digits = await runtime.model("digits");
  const session = await site.session();
  await session.next("subscribe");
  const second = next("running", 2);
  await push(session, 2, await signedCheck(2));
  await second;

  fault = 0.01;
  const refused = next("update-refused", 3);
  await push(session, 3, await signedCheck(3));
  expect(await refused).toMatchObject({ model: "digits", version: 3, code: "runtime/self-check-failed" });
  expect(await session.next("refused-version")).toEqual({
    type: "refused-version",
    model: "digits",
    version: 3,
    code: "runtime/self-check-failed",
  });
  expect((await digits.run({ image })).version).toBe(2);
  const { models } = await runtime.diagnose();
  expect(models[0]).toMatchObject({
    version: 2,
    refused: { version: 3, code: "runtime/self-check-failed" },
  });

  fault = 0;
  const before = loads;
  const fourth = next("running", 4);
  // Pushed again, the refused one is not tried again.
  session.send({
    type: "release",
    model: "digits" as never,
    channel: "stable",
    version: 3 as never,
    timestampVersion: site.repository.versions.timestamp,
  });
  await push(session, 4, await signedCheck(4));
  await fourth;
  expect(loads).toBe(before + 1);
  expect((await digits.run({ image })).version).toBe(4);
  expect((await runtime.diagnose()).models[0]).not.toHaveProperty("refused");
});

test("signed answers that the version does not give are noticed on the first start too", async () => {
  const { selfCheck } = await signedCheck(1);
  await site.repository.release(2, undefined, { selfCheck: { ...selfCheck!, seed: "another row" } });
  await expect(runtime.model("digits")).rejects.toMatchObject({ code: "runtime/self-check-failed" });
});

test("a version that takes other inputs than the running one stays outside", async () => {
  const digits = await runtime.model("digits");
  const session = await site.session();
  await session.next("subscribe");
  const refused = next("update-refused", 2);
  await push(session, 2, { inputs: [{ ...IMAGE[0]!, name: "picture" }] });
  expect(await refused).toMatchObject({ code: "runtime/incompatible-release" });
  expect(await session.next("refused-version")).toMatchObject({ code: "runtime/incompatible-release" });
  expect((await digits.run({ image })).version).toBe(1);
});
