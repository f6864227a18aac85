import { freemem, totalmem } from "node:os";
import { formatBytes } from "../start/format.ts";
import { ok, problem, warning, type Finding } from "./finding.ts";

/** Below this a coordinator that evaluates and encodes versions may be ended by the system. */
const LITTLE_MEMORY = 512 * 1024 * 1024;
const NODE_MAJOR = 24;

/** Whether this machine can run a coordinator. */
export async function checkMachine(): Promise<readonly Finding[]> {
  return [
    nodeVersion(),
    await nativeModule("better-sqlite3", opensDatabase),
    await nativeModule("onnxruntime-node", loadsEngine),
    memory(),
  ];
}

function nodeVersion(): Finding {
  const { node } = process.versions;
  return Number(node.split(".")[0]) >= NODE_MAJOR
    ? ok("Node", node)
    : problem("Node", node, `Install Node ${NODE_MAJOR}, or run it by pnpm, which brings its own.`);
}

async function opensDatabase(): Promise<string> {
  const { default: Database } = await import("better-sqlite3");
  const database = new Database(":memory:");
  try {
    const { version } = database.prepare("select sqlite_version() as version").get() as { version: string };
    return `SQLite ${version}`;
  } finally {
    database.close();
  }
}

async function loadsEngine(): Promise<string> {
  const { env } = await import("onnxruntime-node");
  return `onnxruntime ${env.versions.node ?? env.versions.common}`;
}

async function nativeModule(name: string, load: () => Promise<string>): Promise<Finding> {
  try {
    return ok(name, await load());
  } catch (error) {
    const reason = (error instanceof Error ? error.message : String(error)).split("\n")[0]!;
    return problem(
      name,
      reason,
      "It has a compiled part for each system: install again on this machine (npx --yes pnpm@12 install).",
    );
  }
}

function memory(): Finding {
  const text = `${formatBytes(freemem())} free of ${formatBytes(totalmem())}`;
  return freemem() < LITTLE_MEMORY
    ? warning("memory", text, "Measuring and encoding versions may fail: end what else runs here.")
    : ok("memory", text);
}
