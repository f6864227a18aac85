import { lstat, readdir, readFile, statfs } from "node:fs/promises";
import { join } from "node:path";
import SqliteDatabase from "better-sqlite3";
import { formatBytes } from "../start/format.ts";
import { ok, problem, warning, type Finding } from "./finding.ts";

/** Permission bits of others than the owner. */
const OTHERS = 0o077;
/** Below these a coordinator soon refuses to store anything. */
const LITTLE_SPACE = { bytes: 1e9, share: 0.05 } as const;
const DATABASE = "tributary.db";
const KEYS = "keys";
/** The key that vouches for all others: it is needed only to change them. */
const ROOT_KEY = "root.key.json";

/** What is wrong with a data directory; nothing in it is changed, and a coordinator may run on it. */
export async function checkDataDir(dataDir: string): Promise<readonly Finding[]> {
  const found = await lstat(dataDir).catch(() => undefined);
  if (found === undefined)
    return [
      warning(
        "data directory",
        `${dataDir} is not there`,
        "tributary serve makes it; name another with --data-dir.",
      ),
    ];
  if (!found.isDirectory())
    return [problem("data directory", `${dataDir} is no folder`, "Name the folder with --data-dir.")];
  const names = await readdir(dataDir);
  if (names.length === 0)
    return [
      warning(
        "data directory",
        `${dataDir} is empty`,
        "tributary serve makes what belongs there; name another with --data-dir.",
      ),
    ];
  if (!names.includes(DATABASE) && !names.includes(KEYS))
    return [
      problem(
        "data directory",
        `${dataDir} is none: it has neither a database (${DATABASE}) nor a folder ${KEYS}`,
        "Name the coordinator's folder with --data-dir.",
      ),
    ];
  return [
    ok("data directory", dataDir),
    await permissions(dataDir),
    await rootKey(join(dataDir, KEYS)),
    database(join(dataDir, DATABASE)),
    await running(dataDir),
    await space(dataDir),
  ];
}

async function permissions(dataDir: string): Promise<Finding> {
  const keys = join(dataDir, KEYS);
  const files = await readdir(keys).catch(() => []);
  const paths = [dataDir, join(dataDir, "operator-token"), keys, ...files.map((name) => join(keys, name))];
  const loose: string[] = [];
  for (const path of paths) {
    const found = await lstat(path).catch(() => undefined);
    if (found !== undefined && (found.mode & OTHERS) !== 0 && process.platform !== "win32") loose.push(path);
  }
  if (loose.length === 0) return ok("secrets", "only their owner can read them");
  return problem(
    "secrets",
    `others may read ${loose.join(", ")}`,
    `chmod go= ${loose.map((path) => JSON.stringify(path)).join(" ")}; who read a key there can sign with it: tributary keys rotate.`,
  );
}

async function rootKey(keys: string): Promise<Finding> {
  const here = (await lstat(join(keys, ROOT_KEY)).catch(() => undefined)) !== undefined;
  return here
    ? warning(
        "root key",
        `${ROOT_KEY} lies beside the keys in daily use`,
        `Move ${join(keys, ROOT_KEY)} to a place without a network; it is needed again only to change keys (tributary keys sign).`,
      )
    : ok("root key", "it is kept elsewhere");
}

function database(path: string): Finding {
  try {
    const opened = new SqliteDatabase(path, { readonly: true, fileMustExist: true });
    try {
      const [first] = opened.pragma("quick_check(1)") as readonly { readonly quick_check: string }[];
      if (first?.quick_check !== "ok")
        return problem(
          "database",
          first?.quick_check ?? "no answer",
          "Stop the coordinator and restore the last backup (tributary restore).",
        );
      const pages = opened.pragma("page_count", { simple: true }) as number;
      const pageSize = opened.pragma("page_size", { simple: true }) as number;
      return ok("database", `whole, ${formatBytes(pages * pageSize)}`);
    } finally {
      opened.close();
    }
  } catch (error) {
    const { code, message } = error as Error & { readonly code?: string };
    return code === "SQLITE_CANTOPEN"
      ? warning("database", "there is none yet", "The first start makes it.")
      : problem("database", message, "Stop the coordinator and restore the last backup (tributary restore).");
  }
}

async function running(dataDir: string): Promise<Finding> {
  const pid = Number(await readFile(join(dataDir, "coordinator.pid"), "utf8").catch(() => ""));
  if (!Number.isInteger(pid) || pid <= 0) return ok("process", "no coordinator has run on it");
  try {
    process.kill(pid, 0);
    return ok("process", `the last coordinator on it was process ${pid}, which runs`);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"
      ? ok("process", `the last coordinator on it was process ${pid}, which runs under another user`)
      : ok("process", "no coordinator runs on it");
  }
}

async function space(dataDir: string): Promise<Finding> {
  const { bavail, blocks, bsize } = await statfs(dataDir);
  const free = bavail * bsize;
  const text = `${formatBytes(free)} free of ${formatBytes(blocks * bsize)}`;
  return free < LITTLE_SPACE.bytes || bavail < blocks * LITTLE_SPACE.share
    ? warning(
        "disk",
        text,
        "Make room: without it no update, version or backup is stored (tributary model retention).",
      )
    : ok("disk", text);
}
