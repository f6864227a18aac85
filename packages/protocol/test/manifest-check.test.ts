import { join } from "node:path";
import { encodeUtf8, TributaryError } from "@tributary/core";
import { parseModelManifest, readModelManifest } from "@tributary/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { generateManifestCheck, generateRolloutCheck } from "../scripts/generate-manifest-check.ts";

// When the schemas of a manifest, or of rollouts, change:
//   pnpm exec vitest run --project unit packages/protocol/test/manifest-check.test.ts -u
test("the checks are generated from the schemas", async () => {
  const file = (name: string): string => join(import.meta.dirname, `../src/generated/${name}-check.ts`);
  await expect(generateManifestCheck()).toMatchFileSnapshot(file("model-manifest"));
  await expect(generateRolloutCheck()).toMatchFileSnapshot(file("rollout"));
});

const fields = {
  model: "digits",
  channel: "stable",
  version: 3,
  parentVersion: 2,
  graph: { target: "models/digits/graph.onnx" },
  weights: { float32: { target: "w/f32" }, int8: { target: "w/int8" } },
  parameters: [{ name: "dense/kernel", shape: [784, 10] }],
  createdAt: "2026-03-01T10:00:00Z",
  variants: [
    { name: "int8-dynamic", target: "v/dynamic", engines: ["ort-wasm"] },
    { name: "int9", target: "v/9", features: ["shader-f16"], sample: { image: [0, 0.5, 1] } },
  ],
  labels: ["zero", "einß"],
  processing: {
    inputs: { image: { kind: "image", layout: "nchw", channels: "gray", fit: "contain", mean: [0.5] } },
    output: { name: "logits", activation: "softmax", topK: 3 },
  },
};
const port = { name: "image", dtype: "float32", shape: [-1, 1, 28, 28] };
const documents = [
  { ...fields, formatVersion: 2, inputs: [port], outputs: [{ ...port, name: "logits", shape: [-1, 10] }] },
  { ...fields, formatVersion: 1, input: port, output: { ...port, name: "logits", shape: [-1, 10] } },
];

const bytesOf = (value: unknown) => encodeUtf8(JSON.stringify(value));

test.each(documents)("a manifest of format $formatVersion is read as parsed", async (document) => {
  const read = await readModelManifest(bytesOf(document));
  expect(read).toEqual(parseModelManifest(bytesOf(document)));
  expect(read.inputs).toEqual([port]);
});

/** All paths to a value inside a document. */
function pathsOf(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== "object" || value === null) return [path];
  const inner = Object.keys(value).flatMap((key) =>
    pathsOf((value as Record<string, unknown>)[key], [...path, key]),
  );
  return path.length === 0 ? inner : [path, ...inner];
}

function changed(document: object, path: readonly (string | number)[], to: unknown): unknown {
  const copy = structuredClone(document) as Record<string | number, unknown>;
  let at = copy;
  for (const key of path.slice(0, -1)) at = at[key] as typeof at;
  const last = path.at(-1)!;
  if (to === undefined) delete at[last];
  else at[last] = to;
  return copy;
}

test("whatever is changed in a manifest, both say the same, and why", async () => {
  const value = fc.oneof(
    fc.constant(undefined),
    fc.jsonValue(),
    fc.string({ unit: "binary", maxLength: 600 }),
    fc.constantFrom(
      -1,
      0,
      1,
      2 ** 31,
      2 ** 32,
      1.5,
      "float64",
      "9999-99-99",
      "2026-03-01T10:00:00+01:00",
      [],
    ),
  );
  const some = fc
    .constantFrom(...documents)
    .chain((document) => fc.tuple(fc.constant(document), fc.constantFrom(...pathsOf(document)), value));
  await fc.assert(
    fc.asyncProperty(some, async ([document, path, to]) => {
      const bytes = bytesOf(changed(document, path, to));
      let parsed: unknown;
      try {
        parsed = parseModelManifest(bytes);
      } catch (error) {
        await expect(readModelManifest(bytes)).rejects.toMatchObject({
          code: "protocol/invalid-document",
          detail: (error as TributaryError).detail,
        });
        return;
      }
      expect(await readModelManifest(bytes)).toEqual(parsed);
    }),
    { numRuns: 200 },
  );
});
