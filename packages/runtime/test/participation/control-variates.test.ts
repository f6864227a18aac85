import { decodeState, encodeState } from "@tributary/aggregation";
import { asModelName, asModelVersion, asRoundId, asTaskName, sha256, silentLogger } from "@tributary/core";
import { layoutOfParameters, type Offer, type Plan } from "@tributary/protocol";
import { parameterSet } from "@tributary/tensor";
import { expect, test } from "vitest";
import {
  openControlVariates,
  type ControlVariatesOptions,
} from "../../src/participation/control-variates.ts";
import { createKeptControls } from "../../src/participation/kept-controls.ts";
import { createMemoryStore } from "../../src/testing/memory-store.ts";

const schema = [{ name: "w", shape: [2] }];
const task = asTaskName("digits");
const model = asModelName("digits");
const plan = { task, model, update: layoutOfParameters(schema) } as unknown as Plan;
const { signal } = new AbortController();
const set = (...values: number[]) => parameterSet(schema, Float32Array.from(values));

/** A device with a store, and what the coordinator serves it. */
function device() {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const controls = createKeptControls(createMemoryStore().controls!);
  const kept = () => controls.open(model, task);
  const optionsOf = (): ControlVariatesOptions => ({
    kept: kept(),
    env: { log: silentLogger },
    releases: {
      async target(path) {
        const bytes = files.get(path)!;
        return { path, length: bytes.length, sha256: sha256(bytes), custom: undefined };
      },
      fetchTarget: async (path) => files.get(path)!,
    },
  });
  const offerOf = (baseVersion: number, control?: readonly number[], since = 1): Offer => {
    const target = `models/digits/controls/digits/${baseVersion}.safetensors`;
    if (control !== undefined) {
      files.set(target, encodeState("scaffold", { numbers: { since }, sets: { control: set(...control) } }));
    }
    return {
      task,
      roundId: asRoundId(`digits-${baseVersion}`),
      baseVersion: asModelVersion(baseVersion),
      ...(control === undefined ? {} : { control: { target, digest: sha256(files.get(target)!) } }),
    } as Offer;
  };
  return {
    clear: () => controls.clear(model),
    kept,
    files,
    offerOf,
    open: (offer: Offer) => openControlVariates(optionsOf(), offer, plan, signal),
    own: async () => {
      const bytes = await kept().read();
      return bytes === undefined
        ? undefined
        : [...decodeState("scaffold-device", schema, bytes).sets["own"]!.values];
    },
  };
}

test("a device's control follows its rounds: zero first, then what its steps were", async () => {
  const { open, offerOf, own } = device();
  const first = await open(offerOf(1));
  expect([...first.offsets.values]).toEqual([0, 0]);
  // Two steps at 0.5: the mean gradient was (1, -2).
  const after = first.after({ update: Float32Array.of(-1, 2), steps: 2 }, 0.5);
  await after.spent();
  expect(await own()).toEqual([0, 0]);
  await after.settle(true);
  expect(await own()).toEqual([1, -2]);

  const second = await open(offerOf(2, [0.5, 0.5]));
  expect([...second.offsets.values]).toEqual([-0.5, 2.5]);
  // own - server - update / (steps * rate)
  await second.after({ update: Float32Array.of(-3, 0), steps: 4 }, 0.25).settle(true);
  expect(await own()).toEqual([1 - 0.5 + 3, -2 - 0.5]);
});

test("an update that is in no version changes nothing, whenever word of it comes", async () => {
  const { open, offerOf, own } = device();
  await (await open(offerOf(1))).after({ update: Float32Array.of(-1, 2), steps: 2 }, 0.5).settle(true);
  const before = await own();
  const lost = (await open(offerOf(2, [0, 0]))).after({ update: Float32Array.of(9, 9), steps: 1 }, 0.5);
  // The outcome may overtake the answer to the upload.
  await Promise.all([lost.settle(false), lost.spent()]);
  expect(await own()).toEqual(before);
});

test("a connection that ends before the outcome: a newer version holds the update, the same one does not", async () => {
  const { open, offerOf } = device();
  const offer = offerOf(1);
  await (await open(offer)).after({ update: Float32Array.of(-1, 2), steps: 2 }, 0.5).spent();
  expect([...(await open(offerOf(1))).offsets.values]).toEqual([0, 0]);
  expect([...(await open(offerOf(2, [0, 0]))).offsets.values]).toEqual([-1, 2]);
});

test("what was cleared while a round went on does not come back with its end", async () => {
  const { open, offerOf, own, clear } = device();
  const after = (await open(offerOf(1))).after({ update: Float32Array.of(-1, 2), steps: 2 }, 0.5);
  const spent = after.spent();
  await clear();
  await Promise.all([spent, after.settle(true)]);
  expect(await own()).toBeUndefined();
  await (await open(offerOf(1))).after({ update: Float32Array.of(-1, 2), steps: 2 }, 0.5).settle(true);
  expect(await own()).toEqual([1, -2]);
});

test("what belongs to another beginning of the coordinator's, or cannot be read, begins anew", async () => {
  const { open, offerOf, kept } = device();
  await (await open(offerOf(1))).after({ update: Float32Array.of(-1, 2), steps: 2 }, 0.5).settle(true);
  expect([...(await open(offerOf(9, [1, 1], 8))).offsets.values]).toEqual([1, 1]);
  expect([...(await open(offerOf(9))).offsets.values]).toEqual([0, 0]);
  await kept().write(new Uint8Array(40));
  expect([...(await open(offerOf(3, [1, 1]))).offsets.values]).toEqual([1, 1]);
});

test("a control that the release does not name, or that is none, is refused", async () => {
  const { open, offerOf, files } = device();
  const offer = offerOf(2, [1, 1]);
  const other = { ...offer, control: { ...offer.control!, digest: sha256(Uint8Array.of(1)) } };
  await expect(open(other)).rejects.toMatchObject({ code: "federation/plan-refused" });
  const serve = (bytes: Uint8Array<ArrayBuffer>) => {
    files.set(offer.control!.target, bytes);
    return { ...offer, control: { ...offer.control!, digest: sha256(bytes) } };
  };
  await expect(open(serve(encodeState("scaffold", { numbers: {}, sets: {} })))).rejects.toMatchObject({
    code: "federation/plan-refused",
  });
  await expect(open(serve(new Uint8Array(5 * 1024 * 1024)))).rejects.toMatchObject({
    code: "federation/plan-refused",
  });
});
