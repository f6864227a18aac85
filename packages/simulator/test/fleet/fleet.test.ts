import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFleet, type Fleet, type FleetOptions } from "@tributary/simulator";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startSite, type Site } from "../../../runtime/test/fixtures/site.ts";

let dataDir: string;
let site: Site;
let fleet: Fleet | undefined;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-fleet-"));
  site = await startSite();
  await site.repository.release(1);
  await site.repository.releasePlan();
});
afterEach(async () => {
  await fleet?.close();
  await site.close();
  await rm(dataDir, { recursive: true, force: true });
});

async function start(options: Partial<FleetOptions> = {}): Promise<Fleet> {
  fleet = await createFleet({
    coordinator: site.url,
    trustedRoot: site.repository.root,
    mintToken: () => "good-token",
    dataDir,
    devices: 4,
    threads: 2,
    task: "digits-task",
    examples: { min: 10, max: 30 },
    ...options,
  });
  return fleet;
}

async function identities(): Promise<{ ids: string[]; examples: number[] }> {
  const sessions = await Promise.all(Array.from({ length: 4 }, () => site.session()));
  const examples = await Promise.all(
    sessions.map(async (session) => (await session.next("check-in")).examples),
  );
  return { ids: sessions.map(({ deviceId }) => deviceId).toSorted(), examples };
}

test("real devices in threads: own folders, own keys, own shards, stable over a restart, closed in time", async () => {
  const first = await start();
  const before = await identities();
  await first.started;
  expect(new Set(before.ids).size).toBe(4);
  expect((await readdir(dataDir)).toSorted()).toEqual([
    "device-001",
    "device-002",
    "device-003",
    "device-004",
  ]);
  expect(first.status).toMatchObject({ devices: 4, started: 4, connected: 4, versions: { min: 1, max: 1 } });
  expect(first.status.examples).toBe(before.examples.reduce((sum, each) => sum + each, 0));
  const closing = performance.now();
  await Promise.all([first.close(), first.close()]);
  expect(performance.now() - closing).toBeLessThan(2000);

  const again = await start();
  const after = await identities();
  await again.started;
  expect(after.ids).toEqual(before.ids);
  expect(after.examples.toSorted((a, b) => a - b)).toEqual(before.examples.toSorted((a, b) => a - b));
  expect(site.enrolments).toBe(4);
});

test("a data set of the user's is dealt out, each image at most once", async () => {
  const labels = Uint8Array.from({ length: 100 }, (_, i) => i % 10);
  const images = Uint8Array.from({ length: 100 * 784 }, (_, i) => i % 251);
  const { started } = await start({ dataset: { images, labels }, examples: { min: 20, max: 20 } });
  await started;
  expect(fleet!.status.examples).toBe(80);
});

test.each([{ devices: 0 }, { devices: 1.5 }, { threads: 0 }])("%j is refused", async (options) => {
  await expect(start(options)).rejects.toThrow(RangeError);
});
