import { silentLogger, systemRandom } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDevice } from "../../src/create-device.ts";
import { createNodeEngines } from "../../src/node/node-engines.ts";
import { createMemoryStore } from "../../src/testing/memory-store.ts";
import { startSite, type Site } from "../fixtures/site.ts";

const MINUTE = 60_000;
let site: Site;
beforeEach(async () => {
  site = await startSite();
  await site.repository.release(1);
});
afterEach(() => site.close());

test("a device that no socket reaches looks for versions by itself, every five minutes or so", async () => {
  const clock = createVirtualClock({ startMs: Date.now() });
  const device = createDevice(
    {
      source: { coordinator: site.url, releases: `${site.url}/v1/` },
      population: "default",
      trustedRoot: site.repository.root,
      software: "test",
      limits: {} as never,
      tags: [],
    },
    {
      env: { clock, random: systemRandom, log: silentLogger },
      store: createMemoryStore(),
      engines: createNodeEngines(await createOrtNodeEngine(), true),
      conditions: { read: async () => ({}) as never, follow: () => () => {} },
      openSecAggCrypto: () => Promise.reject(new Error("not here")),
      // As behind a proxy that lets no WebSocket through.
      openSocket: () => new Promise(() => {}),
      fetch,
      token: async () => "good-token",
    },
  );
  try {
    const opening = await device.openModel({ model: "digits", channel: "stable", update: "auto" });
    expect(opening.version).toBe(1);
    const running = new Promise<number>((resolve) => {
      device.subscribe((event) => {
        if (event.type === "running") resolve(event.version);
      });
    });
    await site.repository.release(2);
    clock.advance(3.5 * MINUTE);
    expect((await device.status()).models).toMatchObject([{ version: 1 }]);
    clock.advance(3 * MINUTE);
    expect(await running).toBe(2);
  } finally {
    // Whoever waits for a socket waits on.
    void device.close();
  }
});
