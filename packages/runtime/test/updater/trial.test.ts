import { silentLogger, type Digest } from "@tributary/core";
import { beforeEach, expect, test } from "vitest";
import { createMemoryStore } from "../../src/testing/memory-store.ts";
import { requireRuntime } from "../../src/updater/require-runtime.ts";
import { MAX_DEATHS, openTrial, type Trial } from "../../src/updater/trial.ts";

const DIGEST = "ab".repeat(32) as Digest;
const SETTING = "trial/digits/stable";

let store: ReturnType<typeof createMemoryStore>;
let died: number[];
/** What other tabs hold. */
let elsewhere: Set<Digest>;

beforeEach(() => {
  [store, died, elsewhere] = [createMemoryStore(), [], new Set()];
});

const open = (isNew = true, manifestDigest = DIGEST): Promise<Trial | undefined> =>
  openTrial(
    {
      model: "digits",
      setting: SETTING,
      version: 2,
      manifestDigest,
      engine: "ort-node",
      settings: store.settings,
      holds: { hold: () => {}, held: async () => elsewhere },
      log: silentLogger,
      onDied: ({ deaths }) => died.push(deaths),
    },
    isNew,
  );
/** As long as the process lives, this is not over. */
async function dieIn(step: "opening" | "running"): Promise<void> {
  const trial = await open();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  void trial![step](() => (begin(), new Promise(() => {})));
  await begun;
}

test("a version that answers is tried no longer, and nothing is left of it", async () => {
  const trial = (await open())!;
  expect(await trial.opening(async () => "session")).toBe("session");
  expect(await store.settings.read(SETTING)).toMatchObject({ active: false, deaths: 0 });
  await expect(trial.running(() => Promise.reject(new Error("input")))).rejects.toThrow("input");
  expect(trial.isOver).toBe(false);
  expect(await trial.running(async () => 7)).toBe(7);
  expect(trial.isOver).toBe(true);
  await new Promise((resolve) => setImmediate(resolve));
  expect(await store.settings.read(SETTING)).toBeUndefined();
  expect(await open(false)).toBeUndefined();
});

test.each(["opening", "running"] as const)(
  "one that ends the process while %s is not started a third time, unless somebody asks",
  async (step) => {
    for (let death = 1; death <= MAX_DEATHS; death++) {
      await dieIn(step);
      expect(died).toHaveLength(death - 1);
    }
    const trial = (await open())!;
    expect(died).toEqual([1, 2]);
    expect(trial.crashed).toMatchObject({ code: "runtime/version-crashed", detail: { deaths: 2 } });
    // It was told: the next start does not count it again.
    expect((await open())!.crashed).toBeDefined();
    expect(died).toEqual([1, 2]);
    await trial.forgive();
    expect((await open())!.crashed).toBeUndefined();
    // Another version begins anew.
    expect((await open(true, "cd".repeat(32) as Digest))!.crashed).toBeUndefined();
  },
);

test("a tab that is still at it has not died", async () => {
  await dieIn("opening");
  elsewhere.add(DIGEST);
  expect((await open())!.crashed).toBeUndefined();
  expect(died).toEqual([]);
  elsewhere.clear();
  await open();
  expect(died).toEqual([1]);
});

test.each([
  ["0.1.0", "0.1.0", true],
  ["0.10.0", "0.9.9", true],
  ["1.0.0", "1.0.1", false],
  ["1.9.9", "2.0.0", false],
])("runtime %s may run what needs %s: %s", (own, runtime, may) => {
  const check = () =>
    requireRuntime({ model: "digits" as never, version: 2 as never, requires: { runtime } }, own);
  if (may) expect(check).not.toThrow();
  else expect(check).toThrow(expect.objectContaining({ code: "runtime/too-old" }));
});
