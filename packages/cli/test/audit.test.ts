import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createApiClient, type ApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { auditHash, canonicalText, type AuditRecord, type JsonDocument } from "@tributary/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NOT_WHOLE } from "../src/commands/audit.ts";
import { runMain } from "./run-main.ts";

let folder: string;
let dataDir: string;
let coordinator: Coordinator;
let api: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-audit-"));
  dataDir = join(folder, "coordinator");
  coordinator = await createCoordinator({ dataDir, port: 0, logLevel: "silent" });
  await writeFile(join(folder, "root.json"), coordinator.tufRoot);
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: 1 }));
  await api.createTask({ name: "learn", model: "digits" });
  await api.setTaskState("learn", { state: "paused" });
  await api.publishModel("digits", buildLinear({ seed: 2 }));
  // What is not signed yet is signed with what comes next.
  await api.rotateKey("timestamp");
});
afterAll(async () => {
  await coordinator.close();
  await rm(folder, { recursive: true, force: true });
});

const audit = (command: string, ...more: string[]) =>
  runMain("audit", command, `--url=${coordinator.url}`, `--data-dir=${dataDir}`, ...more);
const pinned = () => `--root=${join(folder, "root.json")}`;
const verify = (...more: string[]) => audit("verify", pinned(), ...more);

async function exported(name: string): Promise<{ path: string; lines: string[] }> {
  const path = join(folder, name);
  expect(await audit("export", pinned(), "--out", path)).toMatchObject({ code: 0, stderr: "" });
  return { path, lines: (await readFile(path, "utf8")).trimEnd().split("\n") };
}

test("records are listed newest first, and looked through by who, what and when", async () => {
  const listed = async (...more: string[]) => {
    const { stdout } = await audit("list", "--json", ...more);
    return (JSON.parse(stdout) as { records: AuditRecord[] }).records;
  };
  const all = await listed("--actor", "operator");
  expect(all.map(({ action }) => action).slice(0, 6)).toEqual([
    "key.rotate",
    "model.release",
    "model.publish",
    "task.pause",
    "task.create",
    "model.release",
  ]);
  expect(all.at(-1)).toMatchObject({ index: 0, action: "issuer.set", actor: { via: "process" } });
  expect(
    await listed("--action", "model.publish", "--model", "digits", "--model-version", "2"),
  ).toMatchObject([{ actor: { kind: "operator", via: "http" }, object: { model: "digits", version: 2 } }]);
  expect(await listed("--task", "learn", "--actor", "operator", "--limit", "1")).toMatchObject([
    { action: "task.pause" },
  ]);
  // The round that was under way, if one had begun.
  for (const { action } of await listed("--actor", "coordinator")) expect(action).toBe("round.abandon");
  expect(await listed("--before", "1")).toMatchObject([{ index: 0 }]);
  expect(await listed("--until", "2020-01-01")).toEqual([]);
  const [, pause] = (await audit("list", "--task", "learn", "--actor", "operator")).stdout.split("\n");
  expect(pause).toMatch(
    /^ +\d+ {2}20\d\d-\S+Z {2}operator token {2}task\.pause {2,}model digits, task learn {2,}before running/,
  );
  expect(await audit("list", "--since", "soon")).toMatchObject({
    code: 2,
    stderr: /expected a time/ as never,
  });
  expect((await audit("list", "--action", "model.eat")).code).toBe(2);
});

test("a log that nobody touched is whole; the audit after it goes on from there", async () => {
  const seen = join(folder, "seen.json");
  const first = await verify("--seen", seen);
  expect(first).toMatchObject({ code: 0, stderr: "" });
  expect(first.stdout).toMatch(
    /: \d+ records, each follows the one before it; head [0-9a-f]{64}\nsigned by timestamp \d+: \d+ records/,
  );
  const head = JSON.parse(await readFile(seen, "utf8")) as { size: number; hash: string };
  expect((await verify("--seen", seen)).code).toBe(0);
  for (const [before, code] of [
    [{ ...head, hash: "0".repeat(64) }, "audit/forked"],
    [{ ...head, size: head.size + 1 }, "audit/cut-off"],
  ] as const) {
    await writeFile(seen, JSON.stringify(before));
    const answer = await verify("--seen", seen, "--json");
    expect(answer.code).toBe(NOT_WHOLE);
    expect(JSON.parse(answer.stdout)).toMatchObject({ whole: false, finding: { code } });
    expect(JSON.parse(await readFile(seen, "utf8"))).toEqual(before);
  }
});

test("an exported log is verified without a coordinator, and every change of it is found", async () => {
  const { path, lines } = await exported("audit.jsonl");
  const offline = async (changed: readonly string[]) => {
    await writeFile(path, `${changed.join("\n")}\n`);
    return runMain("audit", "verify", pinned(), "--file", path, "--json");
  };
  const records = lines.slice(1).map((line) => JSON.parse(line) as AuditRecord);
  const line = (record: AuditRecord) => canonicalText(record as unknown as JsonDocument);
  /** The chain made anew from a record on. */
  const chained = (from: readonly AuditRecord[]): string[] => {
    let previous = "0".repeat(64);
    return from.map((record, index) => {
      const linked = { ...record, index, previous: previous as never };
      previous = auditHash(linked);
      return line({ ...linked, hash: previous as never });
    });
  };
  const whole = await offline(lines);
  expect(whole.code).toBe(0);
  expect(JSON.parse(whole.stdout)).toMatchObject({ whole: true, head: { size: records.length } });

  const edited = { ...records[2]!, actor: { kind: "operator", via: "files" } } as const;
  const attacks: [string, readonly string[], string, number][] = [
    ["an edit", lines.with(3, line(edited)), "audit/record-edited", 2],
    [
      "a line with a second opinion",
      lines.with(3, lines[3]!.replace("{", '{"action":"x",')),
      "audit/record-edited",
      2,
    ],
    ["no JSON", lines.with(3, "no record"), "audit/record-edited", 2],
    ["a removal in the middle", lines.toSpliced(3, 1), "audit/chain-broken", 2],
    ["another order", lines.with(3, lines[4]!).with(4, lines[3]!), "audit/chain-broken", 2],
    ["a removal of the end", lines.slice(0, 4), "audit/cut-off", 3],
    ["a chain made anew", [lines[0]!, ...chained(records.toSpliced(2, 1, edited))], "audit/forked", -1],
  ];
  for (const [what, changed, code, index] of attacks) {
    const { code: exit, stdout } = await offline(changed);
    const { finding } = JSON.parse(stdout) as { finding: { code: string; index: number } };
    expect([what, exit, finding.code]).toEqual([what, NOT_WHOLE, code]);
    if (index >= 0) expect([what, finding.index]).toEqual([what, index]);
  }
  // Who forges the head too has no signature for it.
  const header = JSON.parse(lines[0]!) as { metadata: Record<string, string> };
  const timestamp = header.metadata["timestamp.json"]!.replace(/("size": ?)\d+/, "$11");
  const forged = { ...header, metadata: { ...header.metadata, "timestamp.json": timestamp } };
  const refused = await offline([JSON.stringify(forged), ...lines.slice(1)]);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/tuf\//)]);
  expect((await runMain("audit", "verify", "--file", join(folder, "none"))).stderr).toMatch(/cli\/file/);
  // Nothing is overwritten.
  expect((await audit("export", pinned(), "--out", path)).code).toBe(1);
});

test("a hand in the database is found, and its head is not signed", async () => {
  const raw = new DatabaseSync(join(dataDir, "tributary.db"));
  try {
    raw.prepare("update audit_records set detail = '{}' where action = 'task.create'").run();
    const found = await verify();
    expect(found).toMatchObject({
      code: NOT_WHOLE,
      stderr: /record \d+ says what its hash was not made of.*audit\/record-edited/ as never,
    });
    expect(found.stdout).toMatch(/task\.create/);

    const { index } = (await api.audit({ action: "model.publish", limit: 1 })).records[0]!;
    raw.prepare("delete from audit_records where record_index > ?").run(index);
    await expect(api.rotateKey("timestamp")).rejects.toMatchObject({ code: "store/corrupt" });
  } finally {
    raw.close();
  }
});
