import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { seededRandom } from "@tributary/core";
import { buildDigitsCnn, splitWeights } from "@tributary/onnx";
import type { ModelHandle, PersonalisationReport, Runtime, RuntimeEvent } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";
import { parameterSet, parameterView, readSafetensors, type ParameterSet } from "@tributary/tensor";
import { afterAll, beforeAll, beforeEach, afterEach, describe, expect, test } from "vitest";
import { startSite, type Site } from "../fixtures/site.ts";

const model = buildDigitsCnn({ seed: "personal" });
const { parameters } = splitWeights(model);
let site: Site;
let root: Uint8Array;
let dataDir: string;
const runtimes: Runtime[] = [];

beforeAll(async () => {
  site = await startSite();
  ({ root } = site.repository);
});
afterAll(() => site.close());
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-personal-"));
  await publish(1);
});
afterEach(async () => {
  await Promise.all(runtimes.splice(0).map((runtime) => runtime.close()));
  await rm(dataDir, { recursive: true, force: true });
});

let name = "hand-0";
let published = 0;
/** A model of each test's own, so that no test sees another's versions. */
async function publish(version: number, weights?: ParameterSet): Promise<void> {
  if (version === 1) name = `hand-${++published}`;
  await site.repository.releaseModel(name, model, 2, {
    personal: true,
    version,
    ...(weights === undefined ? {} : { weights }),
  });
}

async function start(): Promise<{ runtime: Runtime; hand: ModelHandle; events: RuntimeEvent[] }> {
  const runtime = await createRuntime({ coordinator: site.url, trust: { root }, dataDir });
  runtimes.push(runtime);
  const events: RuntimeEvent[] = [];
  void (async () => {
    for await (const event of runtime.events()) events.push(event);
  })();
  return { runtime, hand: await runtime.model(name), events };
}

const random = seededRandom("handwriting");
/** A bar whose place says the class, on paper of its own. */
function drawing(label: number): Float32Array {
  const pixels = Float32Array.from({ length: 784 }, () => 0.2 * random.next());
  for (let row = 0; row < 28; row++)
    for (let column = 0; column < 2; column++) pixels[row * 28 + 2 * label + 4 + column] = 1;
  return pixels;
}
const drawings = Array.from({ length: 40 }, (_, i) => ({ image: drawing(i % 4), label: i % 4 }));
const fresh = Array.from({ length: 20 }, (_, i) => ({ image: drawing(i % 4), label: i % 4 }));

async function hits(hand: ModelHandle, options: { readonly personal?: boolean } = {}): Promise<number> {
  const all = await Promise.all(fresh.map(({ image }) => hand.run({ image }, options)));
  return all.filter(({ classes }, i) => classes[0] === fresh[i]!.label).length;
}

const examplesOf = (list: typeof drawings) => list.map(({ image, label }) => ({ image, label }));

describe("weights of a device's own", () => {
  test.each(["head", "low-rank"] as const)(
    "by %s answer where they are better, are sealed, and answer after a restart without network",
    async (adapters) => {
      const first = await start();
      const steps: number[] = [];
      const before = await hits(first.hand);
      const report = await first.hand.personalise({
        examples: examplesOf(drawings),
        adapters,
        onProgress: ({ step }) => steps.push(step),
      });
      expect(report).toMatchObject({ model: name, adapters, version: 1, adopted: true, engine: "ort-node" });
      expect(report.examples + report.heldBack).toBe(40);
      expect(report.after.loss).toBeLessThan(report.before.loss);
      expect(steps.at(-1)).toBe(report.steps);
      expect(await hits(first.hand)).toBeGreaterThan(Math.max(before, 15));
      expect(await hits(first.hand, { personal: false })).toBe(before);
      expect((await first.hand.run({ image: fresh[0]!.image })).personal).toBe(true);
      const changes = readSafetensors((await first.hand.personal.export())!);
      const values = [...changes.tensors.values()].flatMap(({ data }) =>
        Array.from(data.slice(0, 4), Number),
      );
      expect(values.some((value) => value !== 0)).toBe(true);
      await runtimes.splice(0)[0]!.close();
      // What lies on the disk does not show them.
      const files = await readdir(dataDir, { recursive: true, withFileTypes: true });
      for (const file of files.filter((entry) => entry.isFile())) {
        const bytes = await readFile(join(file.parentPath, file.name));
        expect(bytes.includes("tributary.personal")).toBe(false);
      }

      site.options = { intercept: (_, response) => (response.destroy(), true) };
      try {
        const again = await start();
        expect(await hits(again.hand)).toBeGreaterThan(15);
        expect(await again.hand.personal.report()).toEqual(report);
        const { models } = await again.runtime.diagnose();
        expect(models[0]!.personal).toMatchObject({ active: true, report });
      } finally {
        site.options = {};
      }
    },
  );

  test("that are no better are not adopted", async () => {
    const { hand, events } = await start();
    // Drawings that say nothing of their labels.
    const noise = Array.from({ length: 30 }, () => ({
      image: drawing(1),
      label: Math.floor(10 * random.next()),
    }));
    const report = await hand.personalise({ examples: examplesOf(noise), learningRate: 3, holdBack: 0.4 });
    expect(report.adopted).toBe(false);
    expect(await hand.personal.report()).toBeUndefined();
    expect((await hand.run({ image: fresh[0]!.image })).personal).toBeUndefined();
    expect(events).toContainEqual(expect.objectContaining({ type: "personal", change: "rejected", report }));
  });

  test("are kept on a new version that they still better, and dropped on one that they do not", async () => {
    const { hand, events, runtime } = await start();
    await hand.personalise({ examples: examplesOf(drawings) });
    const changes = readSafetensors((await hand.personal.export())!).tensors;
    const next = parameterSet(
      parameters.schema,
      parameters.values.map((value) => value * 1.02),
    );
    await publish(2, next);
    await hand.refresh();
    await until(events, (event) => event.type === "personal" && event.change === "kept");
    expect(await hits(hand)).toBeGreaterThan(15);
    expect((await hand.run({ image: fresh[0]!.image })).version).toBe(2);
    // A version that knows this hand already.
    const knowing = parameterSet(parameters.schema, parameters.values.slice());
    for (const [parameter, { data }] of changes) {
      const view = parameterView(knowing, parameter);
      for (let i = 0; i < view.length; i++) view[i]! += 1000 * Number(data[i]);
    }
    await publish(3, knowing);
    await hand.refresh();
    await until(events, (event) => event.type === "personal" && event.change === "dropped");
    expect(await hand.personal.report()).toBeUndefined();
    expect((await runtime.diagnose()).models[0]!.personal).toMatchObject({
      active: false,
      last: { change: "dropped", reason: "no-better" },
    });
    expect((await hand.run({ image: fresh[0]!.image })).personal).toBeUndefined();
  });

  test("go with a call, with the examples, and with everything", async () => {
    const { hand, runtime } = await start();
    const adopted = async (): Promise<PersonalisationReport> =>
      await hand.personalise({ examples: examplesOf(drawings), epochs: 4 });
    for (const erase of [
      () => hand.personal.clear(),
      () => hand.examples.clear(),
      async () => {
        const { learned } = await runtime.forget();
        expect(learned).toEqual([expect.objectContaining({ name: `personal ${name}` })]);
      },
    ]) {
      expect((await adopted()).adopted).toBe(true);
      expect((await hand.run({ image: fresh[0]!.image })).personal).toBe(true);
      await erase();
      expect(await hand.personal.report()).toBeUndefined();
      expect((await hand.run({ image: fresh[0]!.image })).personal).toBeUndefined();
    }
  });

  test("are not trained of too few examples, of a model without graphs for it, out of range, or once aborted", async () => {
    const { hand, runtime } = await start();
    await expect(hand.personalise()).rejects.toMatchObject({ code: "runtime/too-few-examples" });
    await hand.examples.addAll(examplesOf(drawings));
    const reason = new Error("changed my mind");
    const controller = new AbortController();
    const training = hand.personalise({
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(training).rejects.toBe(reason);
    expect(await hand.personal.report()).toBeUndefined();
    await expect(hand.personalise({ epochs: 0 })).rejects.toThrow(RangeError);
    await expect(hand.personalise({ adapters: "all" as never })).rejects.toThrow("one of head, low-rank");
    await site.repository.releaseModel("plain", model);
    const plain = await runtime.model("plain");
    await expect(plain.personalise()).rejects.toMatchObject({ code: "runtime/not-personalisable" });
  });
});

async function until(
  events: readonly RuntimeEvent[],
  fits: (event: RuntimeEvent) => boolean,
): Promise<RuntimeEvent> {
  return await expect
    .poll(() => events.find(fits), { timeout: 20_000, interval: 20 })
    .toBeDefined()
    .then(() => events.find(fits)!);
}
