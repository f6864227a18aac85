import { expect, test } from "vitest";
import { verifyTarget } from "../src/index.ts";
import { deviceOf, Repository, storedVersion, targetOf } from "./repository.ts";

test("a first refresh walks root, timestamp, snapshot, targets and answers targets", async () => {
  const repository = await Repository.create();
  const { client, store } = deviceOf(repository);
  expect(client.target("models/digits/stable.json")).toBeUndefined();
  expect(client.timestampVersion).toBe(0);
  await client.refresh();
  expect(repository.requests).toEqual(["2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"]);
  expect(client.timestampVersion).toBe(1);
  expect(client.rootVersion).toBe(1);
  const target = client.target("models/digits/stable.json")!;
  verifyTarget(target, new TextEncoder().encode("models/digits/stable.json"));
  expect([...client.targets().keys()]).toEqual(["models/digits/stable.json"]);
  expect(client.target("constructor")).toBeUndefined();
  expect(store.files.get("timestamp")).toEqual(repository.files.get("timestamp.json"));
});

test("5.3 to 5.6: root v1 to v3, then a new release", async () => {
  const repository = await Repository.create();
  const device = deviceOf(repository);
  await device.client.refresh();
  await repository.publishRoot();
  await repository.publishRoot();
  await repository.publish([targetOf("a"), targetOf("b", { tier: 2 })]);
  await device.client.refresh();
  expect(device.client.rootVersion).toBe(3);
  expect(storedVersion(device.store, "root")).toBe(3);
  expect(device.client.target("b")?.custom).toEqual({ tier: 2 });
});
