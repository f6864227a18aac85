import { silentLogger } from "@tributary/core";
import { expect, test } from "vitest";
import type { Device } from "../../src/device.ts";
import { withPersistence } from "../../src/worker/persistence.ts";

const device = { participate: async () => {}, stopParticipating: async () => {} } as unknown as Device;
const consent = { consent: true, when: "always" } as const;

function storage(persisted: boolean, answer: () => Promise<boolean> = async () => true) {
  const counts = { persist: 0 };
  return {
    counts,
    persisted: async () => persisted,
    persist() {
      counts.persist += 1;
      return answer();
    },
  };
}

test("the browser is asked to keep the storage with the first consent, once", async () => {
  const asked = storage(false);
  const kept = withPersistence(device, asked, silentLogger);
  await kept.stopParticipating();
  expect(asked.counts.persist).toBe(0);
  await kept.participate(consent);
  await kept.participate(consent);
  await expect.poll(() => asked.counts.persist).toBe(1);
});

test("nothing is asked without consent, or where the storage is kept already", async () => {
  const [refused, already] = [storage(false), storage(true)];
  await withPersistence(device, refused, silentLogger).participate({ ...consent, consent: false });
  await withPersistence(device, already, silentLogger).participate(consent);
  await new Promise((resolve) => setImmediate(resolve));
  expect([refused.counts.persist, already.counts.persist]).toEqual([0, 0]);
});

test("a browser that cannot, or fails, keeps nobody from taking part", async () => {
  await withPersistence(device, undefined, silentLogger).participate(consent);
  await withPersistence(device, {}, silentLogger).participate(consent);
  const failing = storage(false, async () => Promise.reject(new Error("no")));
  await withPersistence(device, failing, silentLogger).participate(consent);
  await expect.poll(() => failing.counts.persist).toBe(1);
});
