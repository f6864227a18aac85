import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Runtime } from "@tributary/runtime";
import { beforeEach, expect, test } from "vitest";
import { nodeRoom, type NodeRoom } from "../fixtures/node-room.ts";
import type { Site } from "../fixtures/site.ts";

let dataDir: string;
let site: Site;
let start: NodeRoom["start"];
let runtime: Runtime;
nodeRoom((room) => ({ dataDir, site, start } = room));
beforeEach(async () => {
  runtime = await start();
});

const image = Uint8Array.from({ length: 784 }, (_, at) => at % 256);

test("forget() erases everything of the person here and at the coordinator, and says what", async () => {
  const events = runtime.events()[Symbol.asyncIterator]();
  const first = await site.session();
  const digits = await runtime.model("digits");
  await digits.examples.addAll([
    { image, label: 1 },
    { image, label: 2 },
  ]);
  await digits.run({ image });
  expect((await runtime.metrics()).models).toHaveLength(1);
  const participation = runtime.participate({ consent: true });
  const erasure = await runtime.forget();
  expect((await runtime.metrics()).models).toEqual([]);
  expect(erasure).toMatchObject({
    examples: [{ model: "digits", count: 2 }],
    learned: [],
    keys: ["device", "examples"],
    deviceId: first.deviceId,
    coordinator: { record: "erased" },
  });
  expect(erasure.examples[0]!.sizeBytes).toBeGreaterThan(2 * 784);
  expect(site.erased).toEqual([first.deviceId]);
  expect(participation.state).toBe("stopped");
  expect(await digits.examples.count()).toBe(0);
  expect(await readdir(join(dataDir, "examples"))).toEqual([]);
  const files = await readdir(dataDir);
  expect(files).not.toContain("identity.json");
  expect(files).not.toContain("examples-key.json");
  // What is the same for everyone stays: the model still runs.
  expect((await digits.run({ image })).version).toBe(1);
  expect((await runtime.forget()).examples).toEqual([]);

  // Nobody is enrolled until somebody takes part again, and then it is somebody else.
  expect(await runtime.status()).toMatchObject({ connection: "offline", participation: "stopped" });
  expect((await runtime.status()).deviceId).toBeUndefined();
  expect(site.enrolments).toBe(1);
  await digits.examples.add({ image, label: 3 });
  runtime.participate({ consent: true });
  const second = await site.session();
  expect(second.deviceId).not.toBe(first.deviceId);
  let told = false;
  while (!told) told = (await events.next()).value?.type === "forgotten";
});

test("a coordinator that is away keeps nothing from being erased, unless the app wants it told", async () => {
  await site.session();
  const digits = await runtime.model("digits");
  await digits.examples.add({ image, label: 1 });
  site.options = {
    intercept(request, response) {
      if (request.method !== "DELETE") return false;
      response.writeHead(503).end();
      return true;
    },
  };
  const identity = await readFile(join(dataDir, "identity.json"), "utf8");
  await expect(runtime.forget({ requireCoordinator: true })).rejects.toMatchObject({
    code: "http/unavailable",
  });
  expect(await readFile(join(dataDir, "identity.json"), "utf8")).toBe(identity);
  expect(await digits.examples.count()).toBe(1);
  const { coordinator, examples } = await runtime.forget();
  expect(coordinator).toMatchObject({ record: "unreachable" });
  expect(examples).toHaveLength(1);
  expect(await digits.examples.count()).toBe(0);
});
