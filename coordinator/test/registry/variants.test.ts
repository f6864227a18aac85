import { seededRandom } from "@tributary/core";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import {
  buildDigitsCnn,
  chosenRanges,
  gatherHistograms,
  onnxRegions,
  splitWeights,
  type ActivationRange,
} from "@tributary/onnx";
import { encodeDelta, parameterSet, tensor, type ParameterSet } from "@tributary/tensor";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openFolderBlobStore } from "../../src/adapters/blob/folder-blob-store.ts";
import type { BlobStore } from "../../src/ports/blob-store.ts";
import type { VersionRecord } from "../../src/ports/model-records.ts";
import { storeVariants, type VariantSources } from "../../src/registry/variants.ts";
import { temporaryFolder } from "../temporary-folder.ts";

const FORMS = ["int8-dynamic", "int8-static", "float16"] as const;
const onnx = buildDigitsCnn({ seed: "variants" });
const { graph, parameters } = splitWeights(onnx);
const random = seededRandom("variants");
const examples = Array.from({ length: 4 }, () => ({
  image: tensor(
    "float32",
    [1, 1, 28, 28],
    Float32Array.from({ length: 784 }, () => random.next()),
  ),
}));

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let blobs: BlobStore;
let engine: Awaited<ReturnType<typeof createOrtNodeEngine>>;
let model: { readonly graph: VersionRecord["graph"]; readonly variants: typeof FORMS };
let calibration: NonNullable<VariantSources["calibration"]>;
beforeAll(async () => {
  folder = await temporaryFolder();
  blobs = await openFolderBlobStore({ folder: folder.path });
  engine = await createOrtNodeEngine();
  model = { graph: await blobs.put(graph), variants: FORMS };
  const ranges = Array.from(await rangesOf(onnx), ([name, { min, max }]) => [name, [min, max]] as const);
  calibration = { formatVersion: 1, ranges: Object.fromEntries(ranges), sample: { image: [0, 1] } };
});
afterAll(async () => {
  await engine.close();
  await blobs.close();
  await folder.remove();
});

const rangesOf = async (bytes: Uint8Array): Promise<ReadonlyMap<string, ActivationRange>> =>
  chosenRanges(
    await gatherHistograms(bytes, {
      examples,
      run: async (observed, feeds) => await (await engine.load(observed)).run(feeds),
    }),
  );

/** The first weights, moved a little, as a round does it, or scaled. */
const moved = (by: number, factor = 1): ParameterSet =>
  parameterSet(
    parameters.schema,
    parameters.values.map((value, i) => factor * (value + by * Math.sin(i) * Math.abs(value))),
  );

const scalesOf = async ({ scales }: VersionRecord["variants"][number]) =>
  JSON.parse(new TextDecoder().decode(await blobs.bytes(scales!.digest))) as Record<string, object>;

test("versions of rounds keep the scales of those before: their forms differ in few bytes", async () => {
  const first = await storeVariants(blobs, model, parameters, { calibration });
  // The largest weights of each tensor had no room: the first step of a chain makes some.
  const second = await storeVariants(blobs, model, moved(0.05), { parent: { variants: first } });
  expect(await storeVariants(blobs, model, moved(0.05), { parent: { variants: first } })).toEqual(second);
  const third = await storeVariants(blobs, model, moved(0.06), { parent: { variants: second } });
  expect(third.map(({ name, sample }) => [name, sample])).toEqual([
    ["int8-dynamic", undefined],
    ["int8-static", { image: [0, 1] }],
    ["float16", undefined],
  ]);
  const shareOf = async (i: number): Promise<number> => {
    const [from, to] = [await blobs.bytes(second[i]!.digest), await blobs.bytes(third[i]!.digest)];
    return encodeDelta(from, to, onnxRegions(to))!.length / to.length;
  };
  for (const i of [0, 1]) {
    expect(await scalesOf(third[i]!)).toEqual(await scalesOf(second[i]!));
    expect(await shareOf(i)).toBeLessThan(0.25);
  }
  expect(await shareOf(2)).toBeLessThan(0.5);
});

test("weights that frozen scales do not fit get new ones; ranges stay, unless they are measured and have drifted", async () => {
  const first = await storeVariants(blobs, model, parameters, { calibration });
  const parent = { variants: first };
  const twice = moved(0, 2);
  const [before, blind, seen] = [
    first,
    await storeVariants(blobs, model, twice, { parent }),
    await storeVariants(blobs, model, twice, { parent, measureRanges: rangesOf }),
  ].map((variants) => variants.find(({ name }) => name === "int8-static")!);
  const [frozen, kept, measured] = [await scalesOf(before!), await scalesOf(blind!), await scalesOf(seen!)];
  expect(kept["activations"]).toEqual(frozen["activations"]);
  expect(kept["weights"]).not.toEqual(frozen["weights"]);
  // The input is what it was; what is behind the weights is wider.
  const { image, ...inner } = measured["activations"] as Record<
    string,
    { readonly scales: readonly number[] }
  >;
  const was = frozen["activations"] as typeof inner;
  expect(image).toEqual(was["image"]);
  expect(Object.keys(inner).length).toBeGreaterThan(1);
  for (const [name, { scales }] of Object.entries(inner))
    expect(scales[0]! / was[name]!.scales[0]!).toBeGreaterThan(1.5);
});

test("what is published with ranges of its own takes these", async () => {
  const first = await storeVariants(blobs, model, parameters, { calibration });
  const ranges = { ...calibration.ranges, image: [0, 2] };
  const sources = { parent: { variants: first }, calibration: { ...calibration, ranges, sample: {} } };
  const next = (await storeVariants(blobs, model, parameters, sources)).find(
    ({ name }) => name === "int8-static",
  )!;
  expect(await scalesOf(next)).toMatchObject({ activations: { image: { scales: [Math.fround(2 / 255)] } } });
  expect(next.sample).toEqual({});
});

test("a version of an earlier coordinator, which kept no scales, starts a chain", async () => {
  const [old] = await storeVariants(blobs, { ...model, variants: ["int8-dynamic"] }, parameters);
  const { scales: _, ...earlier } = old!;
  const made = await storeVariants(blobs, { ...model, variants: ["int8-dynamic"] }, parameters, {
    parent: { variants: [earlier] },
  });
  expect(made).toEqual([old]);
  const withStatic = storeVariants(blobs, model, parameters, { parent: { variants: [earlier] } });
  await expect(withStatic).rejects.toMatchObject({ code: "onnx/needs-calibration" });
});
