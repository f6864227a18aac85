import { asModelName, encodeUtf8, type Digest } from "@tributary/core";
import { buildLinear, decodeModel, encodeModel } from "@tributary/onnx";
import { VARIANTS_KEY } from "@tributary/protocol";
import { afterEach, expect, test } from "vitest";
import { collectBlobs, UNUSED_KEPT_MS } from "../src/collect-blobs.ts";
import { manifestPath } from "../src/releases/target-paths.ts";
import { bodyMaker, model, publishTask, rooms, weightsOf } from "./rounds/rounds-room.ts";

const { open, dispose } = rooms();
afterEach(dispose);

test("what nothing refers to goes once it is old; everything else stays", async () => {
  const room = await open();
  await publishTask(room, { rounds: 1, cohort: { goalCount: 1, minimumCount: 1 } });
  const { store, blobs } = room;
  const manifest = async () => (await store.releases.target(manifestPath(model, "stable")))!.digest;
  const replaced = await manifest();
  const { digest: upload } = await blobs.put(encodeUtf8("a data set of no task"));
  const later = Date.now() + UNUSED_KEPT_MS;
  const collect = (now: number) => collectBlobs({ store, blobs, now });
  expect(await collect(later - 60_000)).toBe(0);

  await room.registry.publish(model, buildLinear({ seed: 2 }));
  expect(await manifest()).not.toBe(replaced);
  const decoded = decodeModel(buildLinear({ seed: 3 }));
  const metadata = [{ key: VARIANTS_KEY, value: '["int8-dynamic"]' }];
  const { variants } = await room.registry.publish(
    asModelName("forms"),
    encodeModel({ ...decoded, metadata }),
  );
  expect(await collect(later + 60_000)).toBe(2);
  const there = async (digest: Digest) => (await blobs.stat(digest)) !== undefined;
  expect([await there(replaced), await there(upload)]).toEqual([false, false]);

  // What the next version's form keeps the scales of.
  expect(await there(variants[0]!.scales!.digest)).toBe(true);

  // The old version's weights are its own; the task goes on with what is left.
  expect(await weightsOf(room, 1)).not.toEqual(await weightsOf(room, 2));
  const device = await room.device();
  const body = await bodyMaker(room);
  device.checkIn();
  await device.report((offer) => body(offer));
  expect(await device.socket.next("outcome")).toMatchObject({ result: "committed", version: 3 });
  for (const { digest } of await store.releases.targets()) expect(await there(digest)).toBe(true);
});
