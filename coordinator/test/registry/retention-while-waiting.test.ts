import { asModelVersion } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { DEFAULT_RETENTION } from "@tributary/protocol";
import { addSignatures, generateTufKey } from "@tributary/tuf";
import { afterEach, expect, test } from "vitest";
import { collectBlobs, UNUSED_KEPT_MS } from "../../src/collect-blobs.ts";
import { manifestPath, weightsPath } from "../../src/releases/target-paths.ts";
import { OPERATOR_BY_HTTP } from "../operator.ts";
import { model, rooms } from "../rounds/rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

test("while a release waits for signatures, what was signed before stays, with its files", async () => {
  const { store, blobs, registry, releases } = await open();
  const publish = (seed: number, release: boolean) =>
    registry.publish(model, buildLinear({ seed }), OPERATOR_BY_HTTP, { release });
  const offered = async () =>
    (await registry.retention(model)).offered.map(({ version, reasons }) => [
      version,
      reasons.includes("signatures"),
    ]);
  const digestOf = async (path: string) => (await store.releases.target(path))!.digest;
  const { signer } = await generateTufKey();
  const sign = async () =>
    releases.keys.sign(model, await addSignatures((await releases.keys.draft(model)).bytes, [signer]));

  await publish(1, true);
  await publish(2, false);
  const here = await releases.keys.publicKeys(model);
  await releases.keys.set(model, { keys: [...here, signer.key], threshold: 2 });
  await sign();
  const signed = await Promise.all(
    [manifestPath(model, "stable"), weightsPath(model, asModelVersion(1))].map(digestOf),
  );

  await publish(3, true);
  // A delta leads here from what was released before, and from nothing older.
  await publish(4, true);
  await publish(5, true);
  await registry.setRetention(
    model,
    { ...DEFAULT_RETENTION, newest: 1, deleteFiles: true },
    OPERATOR_BY_HTTP,
  );
  expect(await offered()).toEqual([
    [5, true],
    [4, true],
    [3, true],
    [1, true],
  ]);
  const collect = () => collectBlobs({ store, blobs, now: Date.now() + UNUSED_KEPT_MS + 60_000 });
  await collect();
  // Devices find both in the release that is signed.
  const there = async () =>
    Promise.all(signed.map(async (digest) => (await blobs.stat(digest)) !== undefined));
  expect(await there()).toEqual([true, true]);

  await sign();
  await registry.setRetention(
    model,
    { ...DEFAULT_RETENTION, newest: 1, deleteFiles: true },
    OPERATOR_BY_HTTP,
  );
  // That this leaves it waits for a signature too.
  await sign();
  expect((await offered()).map(([version]) => version)).not.toContain(1);
  await collect();
  expect(await there()).toEqual([false, false]);
});
