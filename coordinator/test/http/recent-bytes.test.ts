import { createVirtualClock } from "@tributary/core/testing";
import { beforeEach, expect, test } from "vitest";
import { createRecentBytes, type RecentBytes } from "../../src/http/recent-bytes.ts";

let clock: ReturnType<typeof createVirtualClock>;
let recent: RecentBytes<{ readonly bytes: Uint8Array }>;
let found: string[];

beforeEach(() => {
  clock = createVirtualClock();
  found = [];
  recent = createRecentBytes({ clock, maxAgeMs: 1_000, maxBytes: 100, maxEntryBytes: 60 });
});

const get = (name: string, sizeBytes = 10) =>
  recent.get(name, async () => {
    found.push(name);
    return { bytes: new Uint8Array(sizeBytes) };
  });

test("all who ask at once, or soon after, have what was found for the first", async () => {
  const [first, second] = await Promise.all([get("a"), get("a")]);
  expect(second).toBe(first);
  clock.advance(999);
  expect(await get("a")).toBe(first);
  clock.advance(1);
  expect(await get("a")).not.toBe(first);
  expect(found).toEqual(["a", "a"]);
});

test("what is too large, missing, or failed is looked for again; of much the oldest goes", async () => {
  await get("large", 61);
  await get("large", 61);
  expect(await recent.get("none", async () => undefined)).toBeUndefined();
  await expect(recent.get("bad", () => Promise.reject(new Error("away")))).rejects.toThrow("away");
  await get("bad");
  expect(found).toEqual(["large", "large", "bad"]);
  found = [];
  for (const name of ["a", "b", "a", "c", "b"]) await get(name, 50);
  expect(found).toEqual(["a", "b", "c"]);
  await get("a", 50);
  expect(found).toEqual(["a", "b", "c", "a"]);
});
