import { silentLogger, systemEnv } from "@tributary/core";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createMemoryStore } from "../../src/testing/memory-store.ts";
import { transportsTo } from "../fixtures/transports.ts";
import { createTurns } from "../../src/turns.ts";
import { createBlobFetcher } from "../../src/updater/blob-fetcher.ts";
import { createReleases, type Releases } from "../../src/updater/releases.ts";
import { startSite, type Site } from "../fixtures/site.ts";

let site: Site;
beforeEach(async () => {
  site = await startSite();
  await site.repository.release(1);
});
afterEach(() => site.close());

test("devices that share a store refresh one after the other, and never step back", async () => {
  const env = { ...systemEnv(), log: silentLogger };
  const store = createMemoryStore();
  const turns = createTurns();
  let refreshing = 0;
  let most = 0;
  const tab = (): Releases => {
    const http = transportsTo(site.url, env);
    return createReleases({
      trustedRoot: async () => site.repository.root,
      store: store.metadata,
      identity: { store, tags: [] },
      http,
      blobs: createBlobFetcher({ cache: store.blobs, http, env }),
      env,
      closing: new AbortController().signal,
      async exclusive(work, signal) {
        const end = await turns.take(signal);
        most = Math.max(most, ++refreshing);
        try {
          return await work();
        } finally {
          refreshing -= 1;
          end();
        }
      },
    });
  };
  const [first, second] = [tab(), tab()];
  await Promise.all([first.refresh(), second.refresh(), first.refresh()]);
  await site.repository.release(2);
  await Promise.all([second.refresh(), first.atLeast(site.repository.versions.timestamp)]);
  expect(most).toBe(1);
  expect((await second.model("digits", "stable"))?.manifest.version).toBe(2);
  expect((await first.model("digits", "stable"))?.manifest.version).toBe(2);
});

test("who looks for a release after it was made finds it, also while somebody looks since before", async () => {
  const env = { ...systemEnv(), log: silentLogger };
  const store = createMemoryStore();
  const http = transportsTo(site.url, env);
  const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
  const asked: string[] = [];
  const releases = createReleases({
    trustedRoot: async () => site.repository.root,
    store: store.metadata,
    identity: { store, tags: [] },
    http: {
      ...http,
      async metadata(name, request) {
        asked.push(name);
        const bytes = await http.metadata(name, request);
        if (asked.filter((each) => each === "timestamp.json").length === 1) await held;
        return bytes;
      },
    },
    blobs: createBlobFetcher({ cache: store.blobs, http, env }),
    env,
    closing: new AbortController().signal,
  });
  const before = releases.refresh();
  while (!asked.includes("timestamp.json")) await new Promise((resolve) => setImmediate(resolve));
  await site.repository.release(2);
  const [after, together] = [releases.refresh(), releases.refresh()];
  letGo();
  await Promise.all([before, after, together]);
  expect((await releases.model("digits", "stable"))?.manifest.version).toBe(2);
  expect(asked.filter((name) => name === "timestamp.json")).toHaveLength(2);
});
