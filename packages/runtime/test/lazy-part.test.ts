import { failure } from "@tributary/core";
import { expect, test } from "vitest";
import { lazyPart } from "../src/lazy-part.ts";

test("a part is loaded once, by whoever asks first", async () => {
  let loads = 0;
  const part = lazyPart("learner", async () => ({ load: (loads += 1) }));
  expect(part.loaded).toBeUndefined();
  expect(await part.settled()).toBeUndefined();
  expect(loads).toBe(0);
  const [first, second] = await Promise.all([part.load(), part.load()]);
  expect(first).toBe(second);
  expect([part.loaded, await part.settled(), loads]).toEqual([first, first, 1]);
});

test("a script that could not be loaded is asked for again by the next call", async () => {
  const answers = [new TypeError("Failed to fetch dynamically imported module"), undefined];
  const part = lazyPart("learner", async () => {
    const failed = answers.shift();
    if (failed !== undefined) throw failed;
    return "here";
  });
  const loading = part.load();
  await expect(loading).rejects.toMatchObject({
    code: "runtime/part-unavailable",
    retryable: true,
    detail: { part: "learner" },
  });
  expect(await part.settled()).toBeUndefined();
  expect(await part.load()).toBe("here");
});

test("what a loaded part itself refuses keeps its code", async () => {
  const refused = failure("store/corrupt", "no");
  const part = lazyPart("learner", () => Promise.reject(refused));
  await expect(part.load()).rejects.toBe(refused);
});
