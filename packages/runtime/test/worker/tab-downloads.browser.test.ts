import { sha256 } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { expect, test } from "vitest";
import { holdBlobs } from "../../src/worker/held-blobs.ts";
import { tabDownloads } from "../../src/worker/tab-downloads.ts";

const digest = sha256(Uint8Array.of(1));
const [other, third] = [sha256(Uint8Array.of(2)), sha256(Uint8Array.of(3))];
const { locks } = navigator;

/** Work whose end the test says. */
function pending<T>() {
  let end: (value: T) => void = () => {};
  const promise = new Promise<T>((resolve) => (end = resolve));
  return { promise, end };
}

const isAsked = async (name: string): Promise<boolean> =>
  (await locks.query()).pending?.some((lock) => lock.name === name) === true;

test("one tab works at a time, the next hears how far it is and has its turn after it", async () => {
  const scope = crypto.randomUUID();
  const tab = () => tabDownloads({ locks, scope, clock: createVirtualClock() });
  const working = pending<string>();
  let report: ((receivedBytes: number) => void) | undefined;
  const first = tab().inTurn(digest, {}, (waited, tell) => {
    expect(waited).toBe(false);
    report = tell;
    return working.promise;
  });
  await expect.poll(() => report).toBeDefined();
  report!(7);
  const heard: number[] = [];
  const second = tab().inTurn(
    digest,
    { onProgress: (bytes) => heard.push(bytes) },
    async (waited) => `second, waited: ${waited}`,
  );
  // A tab that comes late asks.
  await expect.poll(() => heard).toEqual([7]);
  report!(9);
  await expect.poll(() => heard).toEqual([7, 9]);
  // Another blob has a turn of its own.
  expect(await tab().inTurn(other, {}, async (waited) => waited)).toBe(false);
  working.end("first");
  expect([await first, await second]).toEqual(["first", "second, waited: true"]);
});

test("who waits can give up; a work that fails is its own failure, and the next one's turn", async () => {
  const scope = crypto.randomUUID();
  const tab = () => tabDownloads({ locks, scope, clock: createVirtualClock() });
  const working = pending<never>();
  const first = tab().inTurn(digest, {}, () =>
    working.promise.then(() => Promise.reject(new Error("broken"))),
  );
  const controller = new AbortController();
  const given = tab().inTurn(digest, { signal: controller.signal }, async () => "given up");
  const second = tab().inTurn(digest, {}, async () => "second");
  await expect.poll(() => isAsked(`${scope} downloads ${digest}`)).toBe(true);
  controller.abort(new Error("no more"));
  await expect(given).rejects.toThrow("no more");
  working.end(undefined as never);
  await expect(first).rejects.toThrow("broken");
  expect(await second).toBe("second");
});

test("a tab that was frozen with its lock holds nobody up for ever", async () => {
  const scope = crypto.randomUUID();
  const frozen = pending<void>();
  void locks.request(`${scope} downloads ${digest}`, () => frozen.promise);
  const clock = createVirtualClock();
  const second = tabDownloads({ locks, scope, clock }).inTurn(digest, {}, async (waited) => waited);
  await expect.poll(() => isAsked(`${scope} downloads ${digest}`)).toBe(true);
  clock.advance(30_000);
  expect(await second).toBe(true);
  frozen.end();
});

test("what a tab holds all see, until it lets go", async () => {
  const scope = crypto.randomUUID();
  const [first, second] = [holdBlobs(locks, scope), holdBlobs(locks, scope)];
  const held = async (): Promise<string[]> => [...(await second.held())].toSorted();
  first.hold("a", [digest, other]);
  first.hold("b", [other, third]);
  second.hold("a", [digest]);
  expect(await held()).toEqual([digest, other, third].toSorted());
  first.hold("a", []);
  await expect.poll(held).toEqual([digest, other, third].toSorted());
  second.hold("a", []);
  await expect.poll(held).toEqual([other, third].toSorted());
  first.hold("b", []);
  await expect.poll(held).toEqual([]);
  expect([...(await holdBlobs(locks, "another store").held())]).toEqual([]);
});
