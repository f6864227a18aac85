import { asModelVersion } from "@tributary/core";
import { buildLinear, decodeModel, encodeModel, type QuantizationScales } from "@tributary/onnx";
import { CALIBRATION_KEY, deltaPath, parseModelManifest, VARIANTS_KEY } from "@tributary/protocol";
import { applyDelta } from "@tributary/tensor";
import { afterEach, expect, test } from "vitest";
import { manifestPath, variantPath } from "../../src/releases/target-paths.ts";
import { model, playRound, publishTask, rooms, type Room } from "./rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

/** A linear model, whose only activation is its input, calibrated for twice of what examples are. */
function calibrated(): Uint8Array {
  const decoded = decodeModel(buildLinear({ seed: 1 }));
  const entries = {
    [VARIANTS_KEY]: ["int8-dynamic", "int8-static"],
    [CALIBRATION_KEY]: { formatVersion: 1, ranges: { image: [0, 2.5] }, sample: { image: [0, 1] } },
  };
  const metadata = Object.entries(entries).map(([key, value]) => ({ key, value: JSON.stringify(value) }));
  return encodeModel({ ...decoded, metadata });
}

/** What the input of a version's static form was quantized with. */
async function inputScale(room: Room, version: number): Promise<number> {
  const { variants } = (await room.store.versions.get(model, asModelVersion(version)))!;
  const { scales } = variants.find(({ name }) => name === "int8-static")!;
  const bytes = await room.blobs.bytes(scales!.digest);
  return (JSON.parse(new TextDecoder().decode(bytes)) as QuantizationScales).activations["image"]!.scales[0]!;
}

test("versions of rounds have the forms too: ranges are checked on the task's data set, and made anew where they have drifted", async () => {
  const room = await open();
  const single = { goalCount: 1, minimumCount: 1, overSelection: 1 };
  await publishTask(room, { cohort: single, release: "every", stepPrecision: "int8" }, calibrated());
  expect(await inputScale(room, 1)).toBe(Math.fround(2.5 / 255));
  const update = Float32Array.from({ length: 7850 }, (_, i) => 0.0005 * Math.sin(i));
  for (const version of [2, 3]) {
    expect(await playRound(room, [update])).toBe(version);
    // Pixels of the data set are bytes by 255: less than half of the range was in use.
    expect(await inputScale(room, version)).toBe(Math.fround(1 / 255));
  }
  const manifest = (await room.store.releases.target(manifestPath(model, "stable")))!;
  const { variants } = parseModelManifest(await room.blobs.bytes(manifest.digest));
  const path = variantPath(model, asModelVersion(3), "int8-static");
  expect(variants![1]).toMatchObject({ name: "int8-static", target: path, sample: { image: [0, 1] } });
  const [before, form, delta] = await Promise.all(
    [variantPath(model, asModelVersion(2), "int8-static"), path, deltaPath(path, 2)].map(async (each) => {
      const { digest } = (await room.store.releases.target(each))!;
      return await room.blobs.bytes(digest);
    }),
  );
  expect(applyDelta(before!, delta!)).toEqual(form);
});
