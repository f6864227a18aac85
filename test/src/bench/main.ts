import { globSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { basename, join } from "node:path";
import type { Benchmark } from "./benchmark.ts";

const FOLDER = join(import.meta.dirname, "../../bench");

/**
 * Runs one benchmark. Exit code 0: all bounds are met; 1: it failed; 2: no such benchmark; 3: a bound is missed. Readable progress goes to stderr; with `--json` the last line of stdout is one
 * JSON object.
 */
export async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv.filter((argument) => argument !== "--json");
  const json = argv.includes("--json");
  const names = globSync("*.ts", { cwd: FOLDER })
    .map((file) => basename(file, ".ts"))
    .toSorted();
  const listing = name === undefined || name === "--help";
  if (listing || !names.includes(name)) {
    if (!listing) console.error(`no benchmark is called "${name}"`);
    console.error("Usage: pnpm bench NAME [--json] [arguments]\n");
    for (const known of names) console.error(`  ${known.padEnd(12)} ${(await load(known)).summary}`);
    return listing ? 0 : 2;
  }
  const benchmark = await load(name);
  if (rest.includes("--help")) {
    console.error(`pnpm bench ${name} [--json] ${benchmark.usage ?? ""}\n\n${benchmark.summary}`);
    return 0;
  }
  const machine = describeMachine();
  console.error(`${benchmark.summary}\n${machine.cores} cores, ${machine.cpu}, load ${machine.load1}`);
  try {
    const {
      results,
      figures: measured,
      verdicts = [],
    } = await benchmark.run({
      args: rest,
      log: (line) => console.error(line),
    });
    // A bound that was never reached has no number: its verdict says so.
    const figures = Object.fromEntries(
      Object.entries(measured).filter(([, value]) => Number.isFinite(value)),
    );
    for (const [figure, value] of Object.entries(figures))
      console.error(`${figure.padEnd(28)} ${readable(value)}`);
    for (const verdict of verdicts) console.error(verdict);
    if (json) console.log(JSON.stringify({ bench: name, machine, results, figures }));
    return verdicts.some((verdict) => verdict.startsWith("MISSED")) ? 3 : 0;
  } catch (error) {
    console.error(`bench ${name}: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

async function load(name: string): Promise<Benchmark> {
  const module = (await import(join(FOLDER, `${name}.ts`))) as { readonly default: Benchmark };
  return module.default;
}

function describeMachine() {
  const processors = cpus();
  return {
    cores: processors.length,
    cpu: processors[0]?.model ?? "unknown",
    memoryBytes: totalmem(),
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    load1: Math.round(loadavg()[0]! * 100) / 100,
  };
}

function readable(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}
