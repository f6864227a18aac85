import { asTaskName } from "@tributary/core";
import { createMemoryStore } from "@tributary/runtime/testing";
import { expect, test } from "vitest";
import { createContributions } from "../../src/participation/contributions.ts";

const task = asTaskName("digits");
const enough = { code: "secagg/contributed-enough" };

test("a device gives to two sums on one version, and again on the next; a restart forgets nothing", async () => {
  const { settings } = createMemoryStore();
  const contributions = createContributions(settings, 2);
  await contributions.add(task, 4);
  await contributions.requireRoom(task, 4);
  await contributions.add(task, 4);
  await expect(contributions.requireRoom(task, 4)).rejects.toMatchObject(enough);
  await expect(createContributions(settings, 2).add(task, 4)).rejects.toMatchObject(enough);
  await contributions.add(task, 5);
  // Going back gives no second set of tries.
  await contributions.add(task, 4);
  await expect(contributions.requireRoom(task, 4)).rejects.toMatchObject(enough);
  await expect(contributions.requireRoom(task, 5)).rejects.toMatchObject(enough);
  // Another task has its own count.
  await contributions.requireRoom(asTaskName("letters"), 4);
});
