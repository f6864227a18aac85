/** What a page keeps, with its real worker: offline, cleared, damaged, full, and with a second tab. */
import { encodeHex, isDigest, silentLogger, systemClock, type TributaryError } from "@tributary/core";
import { buildFedAvgCnn } from "@tributary/onnx";
import { deleteDB } from "idb";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { cdp } from "vitest/browser";
import { createRuntimeOf } from "../../src/runtime-of.ts";
import type { Runtime } from "../../src/runtime.ts";
import { OPFS_FOLDER, opfsFolderName } from "../../src/store/opfs-blobs.ts";
import { TRUST_DEFAULTS } from "../../src/trust-limits.ts";
import { memoryBudget } from "../../src/worker/recycling.ts";
import { createRemoteDevice } from "../../src/worker/remote-device.ts";
import { COORDINATOR, serveNetwork, type PageNetwork } from "../fixtures/page-network.ts";
import { createReleaseRepository, type ReleaseRepository } from "../fixtures/release-repository.ts";

const image = Float32Array.from({ length: 784 }, (_, at) => (at % 7) / 7);

/** Against what hangs. */
const PATIENT = { timeout: 30_000 };

let repository: ReleaseRepository;
let network: PageNetwork;
let database: string;
let tabs: { readonly runtime: Runtime; readonly worker: () => Worker }[];

beforeAll(async () => {
  repository = await createReleaseRepository();
  await repository.release(1);
  // 1.7 MB of int8 weights each: more than the piece that a resume begins with.
  for (const name of ["first", "second", "third"])
    await repository.releaseModel(name, buildFedAvgCnn({ seed: name }));
});
beforeEach(() => {
  network = serveNetwork(repository);
  database = `storage-${crypto.randomUUID()}`;
  tabs = [];
});
afterEach(async () => {
  await limitQuota();
  await Promise.all(tabs.map(({ runtime }) => runtime.close()));
  network.close();
  await deleteDB(database);
  const root = await navigator.storage.getDirectory();
  await root.removeEntry(OPFS_FOLDER, { recursive: true }).catch(() => undefined);
});

/** A tab of the site: a worker of its own, and the store that all share. */
function openTab(): { readonly runtime: Runtime; readonly worker: () => Worker } {
  let worker: Worker | undefined;
  const runtime = createRuntimeOf(
    createRemoteDevice({
      spawn: () =>
        (worker = new Worker(new URL("./networked-worker.ts", import.meta.url), {
          type: "module",
          name: network.name,
        })),
      start: {
        config: {
          source: { coordinator: COORDINATOR, releases: `${COORDINATOR}/v1/` },
          population: "default",
          software: "test",
          limits: TRUST_DEFAULTS,
          tags: [],
          trustedRoot: repository.root,
        },
        enrols: false,
        database,
        lifeLock: `life-${crypto.randomUUID()}`,
        leaderLock: `train-${database}`,
        engine: { prefer: "wasm" },
        logToConsole: false,
      },
      token: async () => "none",
      locks: navigator.locks,
      clock: systemClock,
      log: silentLogger,
      budget: memoryBudget({}),
    }),
  );
  const tab = { runtime, worker: () => worker! };
  tabs.push(tab);
  return tab;
}

async function blobFolder(): Promise<FileSystemDirectoryHandle> {
  const all = await (await navigator.storage.getDirectory()).getDirectoryHandle(OPFS_FOLDER);
  return await all.getDirectoryHandle(await opfsFolderName(database));
}

async function blobNames(): Promise<string[]> {
  const names: string[] = [];
  for await (const name of (await blobFolder()).keys()) names.push(name);
  return names.filter(isDigest).toSorted();
}

const int8Of = (model: string): string =>
  repository.targets.get(`models/${model}/versions/1/weights.int8.safetensors`)!.sha256;

test("after one visit a model runs offline, and what the browser damaged, lost or cleared is fetched again", async () => {
  const first = openTab().runtime;
  const { probabilities } = await (await first.model("digits")).run({ image });
  await first.close();

  network.online = false;
  const offline = openTab().runtime;
  const digits = await offline.model("digits");
  expect((await digits.run({ image })).probabilities).toEqual(probabilities);
  const { storage, engines } = await offline.diagnose();
  expect(storage).toMatchObject({ kind: "opfs", persisted: false, partialBytes: 0 });
  expect(storage.usageBytes).toBeGreaterThanOrEqual(storage.blobBytes);
  expect(storage.quotaBytes).toBeGreaterThan(storage.usageBytes!);
  expect(engines.files).toEqual([expect.stringMatching(/\.wasm$/)]);
  await offline.close();

  // Its bytes are those that were signed for, until something damages one and loses the other.
  const folder = await blobFolder();
  const [damaged, lost] = await blobNames();
  const file = await (await folder.getFileHandle(damaged!)).getFile();
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  expect(encodeHex(hash)).toBe(damaged);
  const writable = await (await folder.getFileHandle(damaged!)).createWritable({ keepExistingData: true });
  await writable.write({ type: "write", position: 3, data: Uint8Array.of(1, 2, 3) });
  await writable.close();
  await folder.removeEntry(lost!);
  network.online = true;
  network.forget();
  const healing = openTab().runtime;
  const healed = await healing.model("digits");
  expect((await healed.run({ image })).probabilities).toEqual(probabilities);
  expect(network.blobs).toEqual(expect.arrayContaining([`${damaged} 0`, `${lost} 0`]));

  // An open page runs on when its site is cleared; the next visit fills it again.
  await cdp().send("Storage.clearDataForOrigin", {
    origin: location.origin,
    storageTypes: "indexeddb,file_systems",
  });
  expect((await healed.run({ image })).probabilities).toEqual(probabilities);
  await healing.close();
  expect((await (await openTab().runtime.model("digits")).run({ image })).probabilities).toEqual(
    probabilities,
  );
  expect(await blobNames()).toHaveLength(2);
});

test("of two tabs one downloads, the other sees how far it is and goes on where it died", async () => {
  const resume = network.holdAfter(1_300_000);
  const [first, second] = [openTab(), openTab()];
  const seen = { first: 0, second: 0 };
  const lost = first.runtime.model("first", { onProgress: (each) => (seen.first = each.receivedBytes) });
  await expect.poll(() => seen.first, PATIENT).toBeGreaterThan(1_200_000);
  const opened = second.runtime.model("first", {
    onProgress: (each) => (seen.second = each.receivedBytes),
  });
  const weights = int8Of("first");
  expect(network.blobs.filter((each) => each.startsWith(weights))).toEqual([`${weights} 0`]);
  // The other tab's word, with each piece that arrives there.
  const rest = network.holdAfter(1_500_000);
  resume();
  await expect.poll(() => seen.second, PATIENT).toBeGreaterThan(1_300_000);
  first.worker().terminate();
  await expect(lost).rejects.toMatchObject({ code: "runtime/worker-lost" });
  rest();
  const model = await opened;
  expect((await model.run({ image })).classes).toHaveLength(1);
  const asked = network.blobs
    .filter((each) => each.startsWith(weights))
    .map((each) => Number(each.split(" ")[1]));
  expect(asked).toHaveLength(2);
  expect(asked[1]).toBeGreaterThanOrEqual(1024 * 1024);
});

async function limitQuota(quotaSize?: number): Promise<void> {
  const size = quotaSize === undefined ? {} : { quotaSize };
  await cdp().send("Storage.overrideQuotaForOrigin", { origin: location.origin, ...size });
}

test("a full quota evicts the model that is not open, and else says what was needed", async () => {
  const { runtime } = openTab();
  await (await runtime.model("digits")).run({ image });
  const first = await runtime.model("first");
  await first.close();
  const { usage } = await navigator.storage.estimate();
  await limitQuota(usage! + 1_000_000);
  const second = await runtime.model("second");
  expect((await second.run({ image })).classes).toHaveLength(1);
  const names = await blobNames();
  expect([names.includes(int8Of("first")), names.includes(int8Of("second"))]).toEqual([false, true]);
  // What is open stays: here, and in another tab.
  const other = openTab().runtime;
  const refused = await other.model("third").catch((error: unknown) => error);
  const size = repository.blobs.get(int8Of("third"))!.length;
  expect(refused).toMatchObject({ code: "store/quota-exceeded", detail: { neededBytes: size } });
  const { availableBytes } = (refused as TributaryError).detail;
  expect(availableBytes).toBeLessThan(size);
  expect(await blobNames()).toContain(int8Of("second"));
  expect((await second.run({ image })).classes).toHaveLength(1);
  await second.close();
  await limitQuota();
  expect((await (await other.model("third")).run({ image })).classes).toHaveLength(1);
});
