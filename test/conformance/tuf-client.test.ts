import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { encodeUtf8 } from "@tributary/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { publish } from "../../packages/tuf/test/delegated-release.ts";
import { Repository, targetOf } from "../../packages/tuf/test/repository.ts";
import { temporaryFolder } from "../src/coordinator-process.ts";

// The command line that the official conformance suite drives, as its documentation says.
const CLIENT = join(import.meta.dirname, "../interop/tuf-conformance/client.ts");
const folder = temporaryFolder();
const targets = join(folder.path, "targets");
const requests: string[] = [];
let repository: Repository;
let server: ReturnType<typeof createServer>;
let url: string;

beforeAll(async () => {
  const nowMs = Date.now();
  repository = await Repository.create(nowMs);
  await publish(
    repository,
    { targets: ["a b/c"], delegations: [{ name: "role/../x y", paths: ["d/*"] }] },
    { "role/../x y": { targets: ["d/e"] } },
    nowMs,
  );
  server = createServer((request, response) => {
    requests.push(request.url!);
    const path = decodeURIComponent(request.url!);
    const metadata = path.startsWith("/m/") ? repository.files.get(path.slice(3)) : undefined;
    const [, folderOf = "", hash, name] = /^\/t\/(.*?)([0-9a-f]{64})\.([^/]+)$/.exec(path) ?? [];
    const target =
      name !== undefined && targetOf(folderOf + name).sha256 === hash ? folderOf + name : undefined;
    const bytes = metadata ?? (target === undefined ? undefined : encodeUtf8(target));
    response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  folder.remove();
});

function client(...args: string[]): Promise<{ readonly code: number; readonly stderr: string }> {
  requests.length = 0;
  const env = { ...process.env, NODE_OPTIONS: "--conditions=@tributary/source" };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [CLIENT, "--metadata-dir", join(folder.path, "metadata"), ...args],
      { env },
      (error, _, stderr) => resolve({ code: error === null ? 0 : Number(error.code), stderr }),
    );
  });
}
const stored = (role: string) => new Uint8Array(readFileSync(join(folder.path, "metadata", `${role}.json`)));
const download = (...names: string[]) =>
  client(
    "--metadata-url",
    `${url}/m`,
    "--target-base-url",
    `${url}/t`,
    "--target-dir",
    targets,
    ...names.flatMap((name) => ["--target-name", name]),
    "download",
  );

test("init keeps the root and asks nobody; refresh brings the rest, byte for byte", async () => {
  mkdirSync(folder.path, { recursive: true });
  const root = join(folder.path, "first-root.json");
  writeFileSync(root, repository.root);
  expect(await client("init", root)).toEqual({ code: 0, stderr: "" });
  expect(requests).toEqual([]);
  expect(stored("root")).toEqual(repository.root);
  expect(await client("--metadata-url", `${url}/m`, "refresh")).toEqual({ code: 0, stderr: "" });
  expect(stored("timestamp")).toEqual(repository.files.get("timestamp.json"));
  expect(stored("snapshot")).toEqual(repository.files.get(`${repository.versions!.snapshot}.snapshot.json`));
  expect(stored("targets")).toEqual(repository.files.get(`${repository.versions!.targets}.targets.json`));
});

test("download brings targets in their order, also delegated ones, once, and stops at the first that fails", async () => {
  expect(await download("a b/c", "d/e")).toEqual({ code: 0, stderr: "" });
  expect(readdirSync(targets).toSorted()).toEqual(["a%20b%2Fc", "d%2Fe"]);
  expect(readFileSync(join(targets, "d%2Fe"), "utf8")).toBe("d/e");
  expect(requests.filter((each) => each.startsWith("/t/"))).toHaveLength(2);

  expect(await download("d/e", "nothing", "a b/c")).toEqual({ code: 1, stderr: "nothing is no target\n" });
  expect(requests.filter((each) => each.startsWith("/t/"))).toEqual([]);
});

test("what does not verify is exit code 1, and what was trusted stays", async () => {
  const before = stored("timestamp");
  repository.files.set("timestamp.json", repository.files.get("1.targets.json")!);
  const { code, stderr } = await client("--metadata-url", `${url}/m`, "refresh");
  expect(code).toBe(1);
  expect(stderr).toMatch(/^tuf: timestamp\S* expected .+\n$/);
  expect(stored("timestamp")).toEqual(before);
});
