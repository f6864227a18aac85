import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { ensureChromium } from "./chromium.ts";
import { ensurePrometheus } from "./prometheus.ts";
import type { ProjectSummary } from "./reporter.ts";

/** Files that take longer are named at the end of a run. */
const SLOW_SECONDS = 10;
/** Until all that a project printed is read, after it ended. */
const OUTPUT_MS = 5_000;
const PROJECTS = ["unit", "browser", "e2e"] as const;
type Project = (typeof PROJECTS)[number];

const HELP = `Usage: pnpm test [unit|browser|e2e ...] [options] [-- vitest arguments]

Runs the type check, the linter, the formatter's check and every test: unit tests in Node, and beside them browser
tests in a real Chromium and end-to-end tests against real processes and sockets.

  unit, browser, e2e   only these projects (default: check, then all)
  --full               the same tests with the larger counts (pnpm test:full)
  --install-browser    when no Chromium is found, root on Debian may apt-get install it (always so when CI is set)
  --help               this text`;

interface Outcome extends ProjectSummary {
  readonly name: string;
  readonly seconds: number;
  readonly ok: boolean;
}

const NOTHING_RAN: ProjectSummary = { passed: 0, failed: 1, failures: [], slowest: [], skipped: [] };

/**
 * What runs beside what: end-to-end tests wait for processes and timers a third of their time, and tests in a browser compute in its one page;
 * unit tests use what that leaves.
 */
const LANES: readonly (readonly Project[])[] = [["unit"], ["browser", "e2e"]];

/** Runs the projects, in lanes beside each other, and returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        full: { type: "boolean", default: false },
        "install-browser": { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    return 2;
  }
  if (parsed.values.help) {
    console.log(HELP);
    return 0;
  }
  const wanted = parsed.positionals.filter((word): word is Project =>
    (PROJECTS as readonly string[]).includes(word),
  );
  const patterns = parsed.positionals.filter((word) => !(PROJECTS as readonly string[]).includes(word));
  const projects = wanted.length > 0 ? wanted : [...PROJECTS];
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    // Tests start some hundred processes from TypeScript source: each compiles only what changed.
    NODE_COMPILE_CACHE: join(import.meta.dirname, "../../../node_modules/.cache/compile"),
    ...(parsed.values.full ? { TRIBUTARY_TEST_FULL: "1" } : {}),
  };

  const startedAt = performance.now();
  const outcomes: Outcome[] = [];
  if (wanted.length === 0 && patterns.length === 0) outcomes.push(await check());
  const needsBrowser = projects.includes("browser") || projects.includes("e2e");
  const allowApt = parsed.values["install-browser"] || (process.env.CI ?? "") !== "";
  const chromium = needsBrowser ? ensureChromium({ allowApt }) : undefined;
  if (projects.includes("e2e")) ensurePrometheus({ allowApt });
  if (chromium !== undefined) environment.CHROME_PATH = chromium;
  const runs = new Map<Project, Outcome>();
  const lanes = LANES.map((lane) => lane.filter((project) => projects.includes(project)));
  const isShared = lanes.filter((lane) => lane.length > 0).length > 1;
  await Promise.all(
    lanes.map(async (lane) => {
      for (const project of lane) {
        if (interrupted) return;
        if (project === "browser" && chromium === undefined) {
          console.error(
            "browser: no Chromium. Install one (Debian: `apt-get install chromium`) or set CHROME_PATH, then run again.",
          );
          runs.set(project, { name: project, seconds: 0, ok: false, ...NOTHING_RAN });
        } else runs.set(project, await runProject(project, patterns, environment, isShared));
      }
    }),
  );
  outcomes.push(...PROJECTS.flatMap((project) => runs.get(project) ?? []));
  if (interrupted) return 130;
  if (patterns.length > 0 && outcomes.every(({ passed, failed }) => passed + failed === 0)) {
    console.error(`\nno test matches ${patterns.join(" ")}; projects are ${PROJECTS.join(", ")}`);
    return 1;
  }
  return report(outcomes, (performance.now() - startedAt) / 1000);
}

async function check(): Promise<Outcome> {
  const started = performance.now();
  let ok = true;
  for (const [command, ...args] of [
    ["tsc", "-b"],
    ["oxlint", "--type-aware"],
    ["oxfmt", "--check"],
  ]) {
    ok = !interrupted && (await run(command!, args, process.env)) === 0 && ok;
  }
  return {
    name: "check",
    seconds: (performance.now() - started) / 1000,
    ok,
    ...NOTHING_RAN,
    failed: ok ? 0 : 1,
  };
}

async function runProject(
  project: Project,
  patterns: readonly string[],
  environment: NodeJS.ProcessEnv,
  isShared: boolean,
): Promise<Outcome> {
  const started = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "tributary-test-"));
  const summaryPath = join(folder, "summary.json");
  try {
    const reporters = ["--reporter=default", "--reporter=./test/src/runner/reporter.ts"];
    const passNoTests = patterns.length > 0 ? ["--passWithNoTests"] : [];
    const code = await run(
      "vitest",
      ["run", "--project", project, ...reporters, ...passNoTests, ...patterns],
      {
        ...environment,
        TRIBUTARY_TEST_SUMMARY: summaryPath,
      },
      isShared ? project : undefined,
    );
    const summary = readSummary(summaryPath);
    const unexplained = summary.skipped.filter((test) => test.reason === undefined);
    for (const test of unexplained) console.error(`${project}: "${test.name}" was skipped without a reason`);
    return {
      name: project,
      seconds: (performance.now() - started) / 1000,
      ok: code === 0 && unexplained.length === 0,
      ...summary,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readSummary(path: string): ProjectSummary {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as ProjectSummary;
  } catch {
    return NOTHING_RAN;
  }
}

function report(outcomes: readonly Outcome[], seconds: number): number {
  console.log();
  for (const { name, skipped } of outcomes) {
    const byReason = Map.groupBy(skipped, ({ reason }) => reason ?? "no reason given");
    for (const [reason, tests] of byReason) {
      const what = tests.length === 1 ? tests[0]!.name : `${tests.length} tests`;
      console.log(`skipped  ${name}  ${what}: ${reason}`);
    }
  }
  for (const { name, slowest } of outcomes) {
    const files = slowest.filter(({ seconds }) => seconds >= SLOW_SECONDS);
    if (files.length > 0)
      console.log(`slowest  ${name}  ${files.map((f) => `${f.file} ${f.seconds.toFixed(0)} s`).join(", ")}`);
  }
  for (const { name, failures } of outcomes) {
    for (const failure of failures) console.log(`failed   ${name}  ${failure.name}: ${failure.why}`);
  }
  for (const outcome of outcomes) {
    const counts =
      outcome.name === "check"
        ? "types, lint, format"
        : `${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped.length} skipped`;
    console.log(
      `${outcome.ok ? "ok  " : "FAIL"}  ${outcome.name.padEnd(8)} ${outcome.seconds.toFixed(1).padStart(6)} s  ${counts}`,
    );
  }
  console.log(`      total    ${seconds.toFixed(1).padStart(6)} s`);
  const total = (pick: (outcome: Outcome) => number): number =>
    outcomes.reduce((sum, outcome) => sum + pick(outcome), 0);
  const failed = Math.max(
    total((outcome) => outcome.failed),
    outcomes.filter((outcome) => !outcome.ok).length,
  );
  console.log(
    `${total((o) => o.passed)} passed, ${failed} failed, ${total((o) => o.skipped.length)} skipped`,
  );
  return failed === 0 ? 0 : 1;
}

/** Whoever stops the run stops all of it, not only the step it is at. */
let interrupted = false;

/** @param title - before each line of what it prints, where others print beside it */
function run(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  title?: string,
): Promise<number> {
  return new Promise((resolve) => {
    const output = title === undefined ? "inherit" : "pipe";
    const child = spawn(command, args, { stdio: ["ignore", output, output], env: environment });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface(stream).on("line", (line) => console.log(`${title} | ${line}`));
    }
    const forward = (signal: NodeJS.Signals): void => {
      interrupted = true;
      child.kill(signal);
    };
    process.on("SIGINT", forward).on("SIGTERM", forward);
    child.on("error", (error) => {
      console.error(`${command}: ${error.message}`);
      resolve(1);
    });
    child.on("exit", () => {
      // Whoever it left behind may hold what it printed to: they are not waited for.
      setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
      }, OUTPUT_MS).unref();
    });
    child.on("close", (code) => {
      process.off("SIGINT", forward).off("SIGTERM", forward);
      resolve(code ?? 1);
    });
  });
}
