import { asModelName, asTaskName, encodeUtf8, sha256, systemEnv } from "@tributary/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { LabelValues } from "@tributary/engine/batches";
import { createExamples, type Examples } from "../examples/examples.ts";
import type { DeviceStore, StoredExample } from "../store/device-store.ts";
import { describeBlobCache } from "./describe-blob-cache.ts";

export interface DescribeDeviceStoreOptions {
  /** Opens the store of one device; called again after a `close` it finds what was written. */
  open(): Promise<DeviceStore>;
  /** Removes what the store kept. Called after every test, the store being closed. */
  remove(): Promise<void>;
  /** Whether a store opened again finds what was written. @defaultValue true */
  readonly persistent?: boolean;
}

const digits = asModelName("digits");
const other = asModelName("other");

/** The conformance suite of `DeviceStore`: every adapter runs it. */
export function describeDeviceStore(name: string, options: DescribeDeviceStoreOptions): void {
  describeBlobCache(name, options);

  describe(`device store ${name}`, () => {
    let store: DeviceStore;
    beforeEach(async () => {
      store = await options.open();
    });
    afterEach(async () => {
      await store.close();
      await options.remove();
    });
    const reopen = async (): Promise<void> => {
      if (options.persistent === false) return;
      await store.close();
      store = await options.open();
    };

    test("identity: keys and certificate come back, the private key signs and cannot be exported", async () => {
      expect(await store.identity.read()).toBeUndefined();
      const keys = (await crypto.subtle.generateKey("Ed25519", store.needsExtractableKeys, [
        "sign",
        "verify",
      ])) as CryptoKeyPair;
      await store.identity.write({ keys });
      await store.identity.write({ keys, certificate: Uint8Array.of(1, 2, 3) });
      await reopen();
      const read = await store.identity.read();
      expect(read?.certificate).toEqual(Uint8Array.of(1, 2, 3));
      const message = encodeUtf8("hello");
      const signature = await crypto.subtle.sign("Ed25519", read!.keys.privateKey, message);
      expect(await crypto.subtle.verify("Ed25519", keys.publicKey, signature, message)).toBe(true);
      if (options.persistent !== false) expect(read!.keys.privateKey.extractable).toBe(false);
      await store.identity.clear();
      expect(await store.identity.read()).toBeUndefined();
    });

    test("metadata: one document a role, replaced and deleted", async () => {
      await store.metadata.write("root", encodeUtf8("one"));
      await store.metadata.write("root", encodeUtf8("two"));
      await store.metadata.write("timestamp", encodeUtf8("three"));
      await reopen();
      expect(await store.metadata.read("root")).toEqual(encodeUtf8("two"));
      // Delegated roles have names that somebody else chose.
      for (const [i, name] of ["../root", "a/b", "CON", "ROOT"].entries()) {
        await store.metadata.write(name, encodeUtf8(`delegated ${i}`));
        expect(await store.metadata.read(name)).toEqual(encodeUtf8(`delegated ${i}`));
      }
      await store.metadata.delete("timestamp");
      expect(await store.metadata.read("timestamp")).toBeUndefined();
      expect(await store.metadata.read("snapshot")).toBeUndefined();
    });

    test("installed models: by model and channel", async () => {
      const manifest = encodeUtf8("{}");
      const installed = {
        model: digits,
        channel: "stable",
        version: 3,
        manifest,
        manifestDigest: sha256(manifest),
        files: [{ target: "models/digits/graph.onnx", digest: sha256(manifest), sizeBytes: 2 }],
        installedAtMs: 1_700_000_000_000,
      };
      const { model: _model, channel: _channel, ...previous } = { ...installed, version: 2 };
      await store.models.write({ ...installed, version: 2 });
      await store.models.write({ ...installed, previous });
      await reopen();
      expect(await store.models.read(digits, "stable")).toEqual({ ...installed, previous });
      expect(await store.models.list()).toEqual([{ ...installed, previous }]);
      await store.models.write(installed);
      expect(await store.models.read(digits, "stable")).toEqual(installed);
      expect(await store.models.read(digits, "beta")).toBeUndefined();
      expect(await store.models.list()).toEqual([installed]);
      await store.models.delete(digits, "stable");
      expect(await store.models.list()).toEqual([]);
    });

    test("examples: floats and bytes in order, per model, cleared", async () => {
      const first: StoredExample = { inputs: [Float32Array.of(0, 0.5, -1.25)], label: 7 };
      const second: StoredExample = { inputs: [Uint8Array.of(0, 128, 255)], label: 0 };
      const third: StoredExample = { inputs: [Uint8Array.of(9)], label: Float32Array.of(0.5, -2) };
      await examplesOf(store).add(digits, [first]);
      await examplesOf(store).add(digits, [second, third]);
      await examplesOf(store).add(other, [second]);
      await reopen();
      expect(await examplesOf(store).count(digits)).toBe(3);
      expect((await examplesOf(store).read(digits)).map(plain)).toEqual([first, second, third].map(plain));
      await examplesOf(store).clear(digits);
      expect(await examplesOf(store).count(digits)).toBe(0);
      expect(await examplesOf(store).read(digits)).toEqual([]);
      expect(await examplesOf(store).count(other)).toBe(1);
    });

    test("controls, where storage lasts: one a task, replaced, cleared with their model", async (context) => {
      if (store.controls === undefined) return context.skip("this storage does not last");
      const [task, second] = [asTaskName("digits"), asTaskName("digits-2")];
      await store.controls.write(digits, task, Uint8Array.of(1));
      await store.controls.write(digits, task, Uint8Array.of(2, 3));
      await store.controls.write(digits, second, Uint8Array.of(4));
      await store.controls.write(other, task, Uint8Array.of(5));
      await reopen();
      expect(await store.controls!.read(digits, task)).toEqual(Uint8Array.of(2, 3));
      expect(await store.controls!.read(digits, second)).toEqual(Uint8Array.of(4));
      const sizes = (await store.controls!.list()).map(({ model, sizeBytes }) => `${model} ${sizeBytes}`);
      expect(new Set(sizes)).toEqual(new Set([`${digits} 1`, `${digits} 2`, `${other} 1`]));
      await store.controls!.clear(digits);
      expect(await store.controls!.read(digits, task)).toBeUndefined();
      expect(await store.controls!.read(digits, second)).toBeUndefined();
      expect(await store.controls!.read(other, task)).toEqual(Uint8Array.of(5));
    });

    test("examples: inputs of every element type, and labels of several outputs", async () => {
      const example: StoredExample = {
        inputs: [
          Float64Array.of(Math.PI, -0),
          Uint16Array.of(0x3c00),
          Int8Array.of(-128, 127),
          Int16Array.of(-32_768),
          Int32Array.of(-(2 ** 31), 2 ** 31 - 1),
          Uint32Array.of(2 ** 32 - 1),
          BigInt64Array.of(-(2n ** 63n), 2n ** 53n + 1n),
          BigUint64Array.of(2n ** 64n - 1n),
        ],
        label: { topic: 3, "ä.score": Float32Array.of(0.25, -1) },
      };
      // A view: what is around it is not kept.
      const viewed = { inputs: [new BigInt64Array(32).fill(5n).subarray(7, 9)], label: { topic: 1 } };
      await examplesOf(store).add(digits, [example, viewed]);
      await reopen();
      const [first, second] = await examplesOf(store).read(digits);
      expect(plain(first!)).toEqual(plain(example));
      expect(plain(second!)).toEqual(plain(viewed));
    });

    test("examples: concurrent adds all count", async () => {
      await Promise.all(
        Array.from({ length: 20 }, (_, label) =>
          examplesOf(store).add(digits, [{ inputs: [Uint8Array.of(label)], label }]),
        ),
      );
      const labels = (await examplesOf(store).read(digits)).map(({ label }) => Number(label));
      expect(labels.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    });

    test("example pages: in the order of their ids, changed all at once, and no id comes twice", async () => {
      const [first, second] = await store.examples.change(digits, {
        add: [Uint8Array.of(1), Uint8Array.of(2, 3)],
        remove: [],
      });
      await store.examples.change(other, { add: [Uint8Array.of(9)], remove: [] });
      await reopen();
      expect((await store.examples.models()).toSorted()).toEqual([digits, other]);
      expect(await store.examples.ids(digits)).toEqual([first, second]);
      expect(await store.examples.read(digits, [second!, 12_345])).toEqual([
        { id: second, sealed: Uint8Array.of(2, 3) },
      ]);
      expect(await store.examples.read(other, [second!])).toEqual([]);
      const [third] = await store.examples.change(digits, {
        add: [Uint8Array.of(4)],
        remove: [second!, 12_345],
      });
      expect(third).toBeGreaterThan(second!);
      expect(await store.examples.read(digits)).toEqual([
        { id: first, sealed: Uint8Array.of(1) },
        { id: third, sealed: Uint8Array.of(4) },
      ]);
      await store.examples.clear(digits);
      expect(await store.examples.models()).toEqual([other]);
    });

    test("the key of examples: the first one stays, seals, and cannot be exported", async () => {
      const key = (): Promise<CryptoKey> =>
        crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, store.needsExtractableKeys, [
          "encrypt",
          "decrypt",
        ]);
      expect(await store.examplesKey.read()).toBeUndefined();
      const kept = await store.examplesKey.keep(await key());
      const algorithm = { name: "AES-GCM", iv: new Uint8Array(12) };
      const sealed = await crypto.subtle.encrypt(algorithm, kept, Uint8Array.of(7));
      await store.examplesKey.keep(await key());
      await reopen();
      const read = await store.examplesKey.read();
      expect(new Uint8Array(await crypto.subtle.decrypt(algorithm, read!, sealed))).toEqual(Uint8Array.of(7));
      if (options.persistent !== false) {
        expect(read!.extractable).toBe(false);
        await expect(crypto.subtle.exportKey("raw", read!)).rejects.toThrow();
      }
      await store.examplesKey.clear();
      expect(await store.examplesKey.read()).toBeUndefined();
    });

    test("what was learned: by name, replaced, listed, deleted", async () => {
      await store.learned.write("checkpoint digits/1", Uint8Array.of(1));
      await store.learned.write("checkpoint digits/1", Uint8Array.of(2, 3));
      await reopen();
      expect(await store.learned.read("checkpoint digits/1")).toEqual(Uint8Array.of(2, 3));
      expect(await store.learned.list()).toEqual([{ name: "checkpoint digits/1", sizeBytes: 2 }]);
      await store.learned.delete("checkpoint digits/1");
      await store.learned.delete("checkpoint digits/1");
      expect(await store.learned.read("checkpoint digits/1")).toBeUndefined();
      expect(await store.learned.list()).toEqual([]);
    });

    test("settings: JSON values by key", async () => {
      await store.settings.write("engine/digits/3", { engine: "ort-wasm", medianMs: 1.5 });
      await store.settings.write("a.b c:ä", [1, null]);
      await reopen();
      expect(await store.settings.read("engine/digits/3")).toEqual({ engine: "ort-wasm", medianMs: 1.5 });
      expect(await store.settings.read("a.b c:ä")).toEqual([1, null]);
      expect((await store.settings.keys()).toSorted()).toEqual(["a.b c:ä", "engine/digits/3"]);
      await store.settings.delete("a.b c:ä");
      expect(await store.settings.read("a.b c:ä")).toBeUndefined();
    });

    test("closes twice", async () => {
      await store.close();
      await store.close();
    });
  });
}

/** As another start, or another tab, sees them. */
function examplesOf(store: DeviceStore): Examples {
  return createExamples({ store, env: systemEnv(), policyOf: () => undefined });
}

/** Comparable across the realms of a browser's storage. */
function plain({ inputs, label }: StoredExample): unknown {
  const list = (values: ArrayLike<number | bigint>): unknown[] => Array.from(values);
  const labelOf = (each: LabelValues): unknown => (typeof each === "number" ? each : list(each));
  const isOnly = typeof label === "number" || label instanceof Float32Array;
  return {
    kinds: inputs.map(({ constructor }) => constructor.name),
    inputs: inputs.map((values) => list(values)),
    label: isOnly ? labelOf(label) : Object.entries(label).map(([name, each]) => [name, labelOf(each)]),
  };
}
