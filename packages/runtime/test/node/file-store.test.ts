import { appendFile, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asModelName, encodeUtf8, systemEnv } from "@tributary/core";
import { describeDeviceStore } from "@tributary/runtime/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createExamples, type Examples } from "../../src/examples/examples.ts";
import { LOCK_FILE } from "../../src/node/data-dir-lock.ts";
import { openFileStore } from "../../src/node/file-store.ts";
import { encodeExample } from "../../src/store/example-codec.ts";
import type { DeviceStore } from "../../src/store/device-store.ts";

function examplesOf(store: DeviceStore): Examples {
  return createExamples({ store, env: systemEnv(), policyOf: () => undefined });
}

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-store-"));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

describeDeviceStore("files", {
  open: () => openFileStore({ dataDir: join(dataDir, "device") }),
  remove: () => rm(join(dataDir, "device"), { recursive: true, force: true }),
});

test("the identity file is readable by its owner only", async () => {
  const store = await openFileStore({ dataDir });
  const keys = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  await store.identity.write({ keys });
  expect((await stat(join(dataDir, "identity.json"))).mode & 0o777).toBe(0o600);
  await store.close();
});

test("the key of examples is readable by its owner only, and examples not without it", async () => {
  const digits = asModelName("digits");
  const store = await openFileStore({ dataDir });
  const inputs = [encodeUtf8("what the person wrote")];
  await examplesOf(store).add(digits, [{ inputs, label: 1 }]);
  expect((await stat(join(dataDir, "examples-key.json"))).mode & 0o777).toBe(0o600);
  const file = await readFile(join(dataDir, "examples", "digits.examples"));
  expect(file.includes("the person")).toBe(false);
  await store.examplesKey.clear();
  await expect(examplesOf(store).read(digits)).rejects.toMatchObject({ code: "store/corrupt" });
  await store.close();
});

test("a folder belongs to one runtime; a lock of a dead process is taken over", async () => {
  const store = await openFileStore({ dataDir });
  await expect(openFileStore({ dataDir })).rejects.toMatchObject({ code: "runtime/locked" });
  await store.close();
  await writeFile(join(dataDir, LOCK_FILE), JSON.stringify({ pid: 2 ** 22 + 1, thread: 0 }));
  const again = await openFileStore({ dataDir });
  await again.close();
  expect(await readdir(dataDir)).not.toContain(LOCK_FILE);
});

test("nothing is written that begins after it was closed: the folder may be another's", async () => {
  const store = await openFileStore({ dataDir });
  const keys = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const underWay = store.settings.write("before", 1);
  await store.close();
  await underWay;
  for (const late of [() => store.identity.write({ keys }), () => store.settings.write("after", 1)])
    await expect(late()).rejects.toMatchObject({ code: "store/unavailable" });
  const again = await openFileStore({ dataDir });
  expect([await again.identity.read(), await again.settings.keys()]).toEqual([undefined, ["before"]]);
  await again.close();
});

test("a lock is taken over where its process id belongs to a later process", async () => {
  const lock = join(dataDir, LOCK_FILE);
  // As in a container, where the process after a crash has the id of the one before.
  await writeFile(lock, JSON.stringify({ pid: process.pid, thread: 0 }));
  const beforeThisProcess = Date.now() / 1000 - process.uptime() - 10;
  await utimes(lock, beforeThisProcess, beforeThisProcess);
  await (await openFileStore({ dataDir })).close();
  // As after a reboot.
  await writeFile(lock, JSON.stringify({ pid: process.ppid, thread: 0 }));
  await expect(openFileStore({ dataDir })).rejects.toMatchObject({ code: "runtime/locked" });
  await utimes(lock, 1000, 1000);
  await (await openFileStore({ dataDir })).close();
});

test("examples: a record torn by a crash is dropped and what follows is kept", async () => {
  const digits = asModelName("digits");
  const file = join(dataDir, "examples", "digits.examples");
  const store = await openFileStore({ dataDir });
  await examplesOf(store).add(digits, [{ inputs: [Uint8Array.of(1, 2)], label: 1 }]);
  await examplesOf(store).add(digits, [{ inputs: [Uint8Array.of(3, 4)], label: 2 }]);
  await store.close();
  await writeFile(file, (await readFile(file)).subarray(0, -1));
  const again = await openFileStore({ dataDir });
  await examplesOf(again).add(digits, [{ inputs: [Float32Array.of(5)], label: 3 }]);
  expect((await examplesOf(again).read(digits)).map(({ label }) => label)).toEqual([1, 3]);
  await again.close();
});

test("examples kept by earlier releases are read, and sealed with that", async () => {
  const digits = asModelName("digits");
  const store = await openFileStore({ dataDir });
  await examplesOf(store).add(digits, [{ inputs: [Uint8Array.of(0)], label: 0 }]);
  await examplesOf(store).clear(digits);
  await store.close();
  const record = (kind: number, number: number, body: ArrayBufferView<ArrayBuffer>): Uint8Array => {
    const bytes = new Uint8Array(9 + body.byteLength);
    bytes[0] = kind;
    new DataView(bytes.buffer).setUint32(1, number, true);
    new DataView(bytes.buffer).setUint32(5, body.byteLength, true);
    bytes.set(new Uint8Array(body.buffer), 9);
    return bytes;
  };
  await writeFile(
    join(dataDir, "examples", "digits.examples"),
    Buffer.concat([
      record(1, 7, Float32Array.of(0.5, -1)), // floats of class 7
      record(2, 3, Uint8Array.of(0, 255)), // bytes of class 3
      record(5, 2, Float32Array.of(0.25, 4, 9)), // two numbers, then one float
      record(6, 1, Uint8Array.of(0, 0, 128, 63, 7, 8)), // the number 1, then two bytes
    ]),
  );
  const again = await openFileStore({ dataDir });
  const whole = encodeExample({ inputs: [Uint8Array.of(6)], label: { topic: 1 } });
  const file = join(dataDir, "examples", "digits.examples");
  await appendFile(file, record(16, 0, whole as Uint8Array<ArrayBuffer>)); // as before examples were sealed
  const last = { inputs: [BigInt64Array.of(5n), Float32Array.of(1)], label: { a: 1, b: Float32Array.of(2) } };
  await examplesOf(again).add(digits, [last]);
  expect(await examplesOf(again).read(digits)).toEqual([
    { inputs: [Float32Array.of(0.5, -1)], label: 7 },
    { inputs: [Uint8Array.of(0, 255)], label: 3 },
    { inputs: [Float32Array.of(9)], label: Float32Array.of(0.25, 4) },
    { inputs: [Uint8Array.of(7, 8)], label: Float32Array.of(1) },
    { inputs: [Uint8Array.of(6)], label: { topic: 1 } },
    last,
  ]);
  expect((await again.examples.read(digits)).every((page) => "sealed" in page)).toBe(true);
  await again.close();
});

test("examples: a damaged record is a coded error, and clear() begins anew", async () => {
  const digits = asModelName("digits");
  const file = join(dataDir, "examples", "digits.examples");
  const store = await openFileStore({ dataDir });
  await examplesOf(store).add(digits, [{ inputs: [Uint8Array.of(1, 2)], label: 1 }]);
  const bytes = await readFile(file);
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(file, bytes);
  await expect(examplesOf(store).read(digits)).rejects.toMatchObject({ code: "store/corrupt" });
  await examplesOf(store).clear(digits);
  expect(await examplesOf(store).read(digits)).toEqual([]);
  await store.close();
});

test("a damaged identity file is a coded error, not a new identity", async () => {
  const store = await openFileStore({ dataDir });
  await writeFile(join(dataDir, "identity.json"), "{");
  await expect(store.identity.read()).rejects.toMatchObject({ code: "store/corrupt" });
  await store.close();
});
