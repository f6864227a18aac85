import { appendFile, readFile, readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { readEventFile } from "@tributary/metrics/tensorboard";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tensorboardRuns } from "../../src/runs/tensorboard-runs.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { recordedRuns, roundOf } from "./recorded-runs.ts";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(() => folder.remove());

const path = () => join(folder.path, "digits", "events.out.tfevents.1767225600.tributary");
const end = async () => readEventFile(await readFile(path()));

test("a task has one file, with its parameters, rounds and histograms", async () => {
  const { source } = recordedRuns(3);
  expect(await tensorboardRuns(folder.path, source).write("digits")).toBe(3);
  expect(await readdir(join(folder.path, "digits"))).toEqual(["events.out.tfevents.1767225600.tributary"]);
  const bytes = await readFile(path());
  expect(readEventFile(bytes)).toEqual({ step: 3, sizeBytes: bytes.length });
  const text = bytes.toString("latin1");
  for (const tag of [
    "held-out/loss",
    "devices/dropouts",
    "round/selection-seconds",
    "measured/latency/run",
    "local.learningRate",
  ])
    expect(text).toContain(tag);
  expect(text.split("measured/latency/run")).toHaveLength(2);
});

test("it goes on where it ended, live, after a restart and after a crash", async () => {
  const recorded = recordedRuns(2);
  const live = tensorboardRuns(folder.path, recorded.source);
  await live.write("digits");
  const two = (await end()).sizeBytes;
  recorded.rounds.push(roundOf(3));
  expect([await live.write("digits"), await live.write("digits")]).toEqual([1, 0]);
  const three = await readFile(path());
  // Killed while it wrote the third round: half of it is there.
  await truncate(path(), two + 20);
  expect(await tensorboardRuns(folder.path, recorded.source).write("digits")).toBe(1);
  expect((await readFile(path())).equals(three)).toBe(true);
  await appendFile(path(), "rubbish");
  expect(await tensorboardRuns(folder.path, recorded.source).write("digits")).toBe(0);
  expect((await readFile(path())).equals(three)).toBe(true);
});

test("a task that nobody knows is no file", async () => {
  expect(await tensorboardRuns(folder.path, recordedRuns(1).source).write("other")).toBe(0);
  expect(await readdir(folder.path)).toEqual([]);
});
