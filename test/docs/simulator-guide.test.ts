import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { FLEET_DEFAULTS, type RoundRow } from "@tributary/simulator";
import { afterAll, expect, test } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { fencedBlocks } from "../src/markdown.ts";

// The simulator's guide is executed: its task is played by its command.

const ROOT = join(import.meta.dirname, "../..");
const GUIDE = readFileSync(join(ROOT, "packages/simulator/README.md"), "utf8");
const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Runs a section's command on its task; what it printed, and its results. */
async function played<Report>(blocks: ReturnType<typeof fencedBlocks>, out: string) {
  const task = blocks.find(({ language }) => language === "json")!.text;
  const [line] = blocks
    .find(({ language }) => language === "sh")!
    .text.trim()
    .split("\n");
  const prefix = "npx --yes pnpm@12 tributary ";
  expect(line).toContain(prefix);
  const args = line!.slice(prefix.length).split(" ");
  writeFileSync(join(folder.path, args[1]!), task);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(ROOT, "packages/cli/bin/tributary.mjs"), ...args],
    { cwd: folder.path, env: { ...process.env, NODE_OPTIONS: "--conditions=@tributary/source" } },
  );
  const report = JSON.parse(readFileSync(join(folder.path, out, "results.json"), "utf8")) as Report;
  return { stdout, ...report };
}

test("its command plays its task, and writes what it says", async () => {
  const blocks = fencedBlocks(GUIDE).filter(({ heading }) => heading === "Simulate a task");
  const { rounds, stdout } = await played<{ readonly rounds: readonly RoundRow[] }>(blocks, "results");
  expect(stdout).toMatch(/^2 rounds committed/m);
  expect(rounds.at(-1)!.secure).toBe(true);
  for (const [, name] of GUIDE.matchAll(/`results\/([\w.]+)`/g)) {
    expect(readFileSync(join(folder.path, "results", name!)).length).toBeGreaterThan(0);
  }
}, 120_000);

test("a task with a gate, windows, eligibility and a buffer is played by all of them", async () => {
  const blocks = fencedBlocks(GUIDE).filter(({ heading }) => heading.startsWith("Try out a gate"));
  const { rounds, released } = await played<{
    readonly rounds: readonly RoundRow[];
    readonly released: number;
  }>(blocks, "nightly");
  const verdicts = rounds.flatMap(({ verdict }) => (verdict === null ? [] : [verdict]));
  expect(verdicts.length).toBeGreaterThan(0);
  expect(released).toBe(Math.max(1, ...rounds.map((row) => row.released)));
  expect(rounds.some(({ staleness }) => staleness !== null)).toBe(true);
  expect(rounds.some(({ scheduleSeconds }) => scheduleSeconds === 7200)).toBe(true);
  expect(rounds[0]!.ineligible.locale).toBeGreaterThan(0);
}, 120_000);

test("its table has the defaults that hold", () => {
  const rows = [...GUIDE.matchAll(/^\| `--([\w-]+)` +\| ([\d.]+) /gm)];
  expect(rows.length).toBeGreaterThanOrEqual(4);
  for (const [, flag, value] of rows) {
    const name = flag!.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    expect([name, Number(value)]).toEqual([name, FLEET_DEFAULTS[name as keyof typeof FLEET_DEFAULTS]]);
  }
});
