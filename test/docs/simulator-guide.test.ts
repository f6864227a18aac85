import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { FLEET_DEFAULTS } from "@tributary/simulator";
import { afterAll, expect, test } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { fencedBlocks } from "../src/markdown.ts";

// The simulator's guide is executed: its task is played by its command.

const ROOT = join(import.meta.dirname, "../..");
const GUIDE = readFileSync(join(ROOT, "packages/simulator/README.md"), "utf8");
const folder = temporaryFolder();
afterAll(() => folder.remove());

test("its command plays its task, and writes what it says", async () => {
  const blocks = fencedBlocks(GUIDE).filter(({ heading }) => heading === "Simulate a task");
  const task = blocks.find(({ language }) => language === "json")!.text;
  const [line] = blocks
    .find(({ language }) => language === "sh")!
    .text.trim()
    .split("\n");
  writeFileSync(join(folder.path, "task.json"), task);
  const prefix = "npx --yes pnpm@12 tributary ";
  expect(line).toContain(prefix);
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [join(ROOT, "packages/cli/bin/tributary.mjs"), ...line!.slice(prefix.length).split(" ")],
    { cwd: folder.path, env: { ...process.env, NODE_OPTIONS: "--conditions=@tributary/source" } },
  );
  expect(stdout).toMatch(/^2 rounds committed/m);
  const { rounds } = JSON.parse(readFileSync(join(folder.path, "results/results.json"), "utf8")) as {
    readonly rounds: readonly { readonly secure: boolean }[];
  };
  expect(rounds.at(-1)!.secure).toBe(true);
  for (const [, name] of GUIDE.matchAll(/`results\/([\w.]+)`/g)) {
    expect(readFileSync(join(folder.path, "results", name!)).length).toBeGreaterThan(0);
  }
}, 120_000);

test("its table has the defaults that hold", () => {
  const rows = [...GUIDE.matchAll(/^\| `--([\w-]+)` +\| ([\d.]+) /gm)];
  expect(rows.length).toBeGreaterThanOrEqual(4);
  for (const [, flag, value] of rows) {
    const name = flag!.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    expect([name, Number(value)]).toEqual([name, FLEET_DEFAULTS[name as keyof typeof FLEET_DEFAULTS]]);
  }
});
