import type { Session } from "@tributary/engine";
import { expect, test } from "vitest";
import { createSessionCache } from "../src/session-cache.ts";

function loader() {
  const open = new Set<string>();
  let loads = 0;
  const load = (name: string) => async () => {
    loads += 1;
    open.add(name);
    const session = {
      engine: "ort-node",
      [Symbol.asyncDispose]: async () => void open.delete(name),
    } as unknown as Session;
    return { session };
  };
  return { open, load, loads: () => loads };
}

test("users of one key share one session", async () => {
  const cache = createSessionCache();
  const { load, loads, open } = loader();
  const [a, b] = await Promise.all([cache.acquire("k", load("k")), cache.acquire("k", load("k"))]);
  expect(a.session).toBe(b.session);
  expect(loads()).toBe(1);
  await a.release();
  await a.release();
  expect([...open]).toEqual(["k"]);
  await cache.close();
  await cache.close();
  expect(open.size).toBe(0);
});

test("idle sessions stay up to the limit, the one idle for longest goes first, used ones never", async () => {
  const cache = createSessionCache({ maxIdle: 2 });
  const { load, open } = loader();
  const used = await cache.acquire("used", load("used"));
  for (const key of ["a", "b", "c", "d"]) await (await cache.acquire(key, load(key))).release();
  expect([...open].toSorted()).toEqual(["c", "d", "used"]);
  await (await cache.acquire("c", load("c"))).release();
  await (await cache.acquire("e", load("e"))).release();
  expect([...open].toSorted()).toEqual(["c", "e", "used"]);
  await used.release();
});

test("a load that fails is tried again by the next user", async () => {
  const cache = createSessionCache();
  const { load } = loader();
  const failing = async () => Promise.reject(new Error("no"));
  await expect(cache.acquire("k", failing)).rejects.toThrow("no");
  expect(cache.size).toBe(0);
  await cache.acquire("k", load("k"));
});

test("a user that gives up while it loads leaves the session to the others", async () => {
  const cache = createSessionCache({ maxIdle: 0 });
  const { load, open } = loader();
  const controller = new AbortController();
  const first = cache.acquire("k", load("k"), controller.signal);
  const second = cache.acquire("k", load("k"));
  controller.abort(new Error("not needed"));
  await expect(first).rejects.toThrow("not needed");
  const lease = await second;
  expect(open.size).toBe(1);
  await lease.release();
  expect(open.size).toBe(0);
});

test("a load that ends with whoever began it is begun anew by who joined it", async () => {
  const cache = createSessionCache();
  const { load, open } = loader();
  const first = new AbortController();
  const loading = Promise.withResolvers<never>();
  const begun = cache.acquire("k", () => loading.promise, first.signal);
  const joined = cache.acquire("k", load("k"));
  first.abort(new Error("cancelled"));
  loading.reject(first.signal.reason);
  await expect(begun).rejects.toThrow("cancelled");
  await (await joined).release();
  expect([...open]).toEqual(["k"]);
});
