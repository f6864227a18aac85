import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient, type ApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runMain, type MainResult } from "./run-main.ts";

let folder: string;
let coordinator: Coordinator;
let api: ApiClient;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-waiting-"));
  coordinator = await createCoordinator({ dataDir: join(folder, "data"), port: 0, logLevel: "silent" });
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  for (const seed of [1, 2]) await api.publishModel("digits", buildLinear({ seed }));
});
afterAll(async () => {
  await coordinator.close();
  await rm(folder, { recursive: true });
});

const run = (...args: string[]): Promise<MainResult> =>
  runMain(...args, "--url", coordinator.url, "--data-dir", join(folder, "data"));
const json = async <T>(...args: string[]): Promise<T> =>
  JSON.parse((await run(...args, "--json")).stdout) as T;

async function sign(key: string): Promise<void> {
  const draft = join(folder, "digits.json");
  await run("keys", "export", "digits", "--out", draft);
  expect(await runMain("keys", "sign", draft, "--key", key)).toMatchObject({ code: 0 });
  expect(await run("keys", "import", "digits", draft)).toMatchObject({ code: 0 });
}

const WAITS =
  "devices do not get it yet: it waits for signatures of digits, 1 of 2 are there\n" +
  "  tributary keys export digits, then tributary keys sign <file> --key <key file> where the key lies, then tributary keys import digits <file>\n";
const MISSING = [{ role: "digits", signatures: [{ have: 1, need: 2 }] }];

test("what is released says that it waits for signatures, until they are there", async () => {
  const model = join(folder, "model.onnx");
  await writeFile(model, buildLinear({ seed: 3 }));
  expect(await json("publish", model, "--name", "digits")).toMatchObject({
    version: 3,
    missingSignatures: [],
  });

  const key = join(folder, "second");
  await runMain("keys", "make", "digits", "--out", key);
  expect(await run("keys", "add", "digits", `${key}.pub`, "--threshold", "2")).toMatchObject({ code: 0 });
  // Keys wait, and no release: what was signed holds.
  expect((await run("model", "channels", "digits")).stdout).not.toContain("waits");
  await sign(key);

  await writeFile(model, buildLinear({ seed: 4 }));
  const published = await run("publish", model, "--name", "digits");
  expect(published.stdout).toMatch(/^published digits version 4: /);
  expect(published.stdout.endsWith(WAITS)).toBe(true);
  expect((await run("versions", "digits")).stdout).toMatch(
    /^ +4 .* stable champion +stable waits for signatures$/m,
  );
  expect((await run("model", "channels", "digits")).stdout).toMatch(
    /^stable +4 +\S+ +waits for signatures$/m,
  );
  expect((await run("model", "list")).stdout).toContain("version 4 of 4 (waits for signatures)");
  await sign(key);
  expect((await run("model", "list")).stdout).not.toContain("waits");

  const back = await run("rollback", "digits", "--to", "2", "--yes");
  expect(back.stdout).toBe(`stable of digits points to version 2 instead of 4\n${WAITS}`);
  expect(await json("rollback", "digits", "--to", "1", "--yes")).toMatchObject({
    missingSignatures: MISSING,
  });
  expect(await json("model", "release", "digits", "2")).toMatchObject({
    version: 2,
    missingSignatures: MISSING,
  });
  await sign(key);
  expect((await run("model", "channels", "digits")).stdout).not.toContain("waits");

  await api.startRollout("digits", { arms: [{ name: "new", version: 4 }], gates: [] });
  await sign(key);
  expect((await run("rollout", "promote", "digits", "--yes")).stdout).toMatch(
    /completed.*\ndevices do not get it/,
  );
  await sign(key);
});

test("versions that were withdrawn are marked wherever they are listed", async () => {
  await api.releaseVersion("digits", 1, { channel: "beta" });
  await api.withdrawVersion("digits", 1, "it calls a 1 a 7");
  expect((await run("versions", "digits")).stdout).toMatch(/^ +1 .* beta +withdrawn\b/m);
  expect((await run("model", "channels", "digits")).stdout).toMatch(/^beta +1 +\S+ +withdrawn, waits for/m);
  expect((await run("model", "show", "digits")).stdout).toMatch(
    /, beta 1 \(withdrawn, waits for signatures\)/,
  );
});
