import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient, type KeyRoleView } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { build2nn } from "@tributary/onnx";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runMain } from "./run-main.ts";

const folder = mkdtempSync(join(tmpdir(), "tributary-keys-"));
const at = (name: string): string => join(folder, name);
const dataDir = at("data");
let coordinator: Coordinator;

const start = () => createCoordinator({ dataDir, port: 0, logLevel: "silent" });
beforeAll(async () => {
  coordinator = await start();
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", build2nn({ seed: 1 }));
});
afterAll(async () => {
  await coordinator.close();
  rmSync(folder, { recursive: true });
});

const keys = (...args: string[]) =>
  runMain(
    "keys",
    ...args,
    ...(["make", "sign"].includes(args[0]!) ? [] : ["--url", coordinator.url, "--data-dir", dataDir]),
  );
async function json<T>(...args: string[]): Promise<T> {
  const { stdout, stderr, code } = await keys(...args, "--json");
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout) as T;
}
const roleOf = async (role: string): Promise<KeyRoleView> =>
  (await json<{ roles: KeyRoleView[] }>("list")).roles.find((each) => each.role === role)!;

test("list shows who signs, with how many keys, and until when", async () => {
  const { stdout } = await keys("list");
  expect(stdout).toMatch(/^ROLE +VERSION +EXPIRES +THRESHOLD +KEYS$/m);
  expect(stdout).toMatch(/^root +1 +\d{4}-\d\d-\d\d \(36[45] days\) +1 of 1 +[0-9a-f]{12}$/m);
  expect(stdout).toMatch(/^digits-training +1 /m);
});

test("a key is made in a folder of its own, whoever may read the one around it", async () => {
  const open = at("open");
  mkdirSync(open);
  chmodSync(open, 0o755);
  expect(await keys("make", "root", "--out", join(open, "offline", "root-2.key.json"))).toMatchObject({
    code: 0,
    stderr: "",
  });
  expect(statSync(join(open, "offline")).mode & 0o777).toBe(0o700);
  const beside = await keys("make", "root", "--out", join(open, "root-2.key.json"));
  expect(beside.stderr).toMatch(/open has mode 755, .*coordinator\/key-insecure/);
});

test("a model's releases by two of three keys, one of ECDSA, that never were on the coordinator", async () => {
  for (const [name, algorithm] of [
    ["a", "ed25519"],
    ["b", "ecdsa-p256"],
  ] as const) {
    const file = join(folder, "safe", name);
    expect((await keys("make", "digits", "--out", file, "--algorithm", algorithm)).code).toBe(0);
    await json("add", "digits", `${file}.pub`);
    await sign("digits", "safe/a", "safe/b");
  }
  const first = (await roleOf("digits")).keys[0]!;
  expect(first.here).toBe(true);
  await json("remove", "digits", first.keyId.slice(0, 10), "--threshold", "2");
  await sign("digits", "safe/a", "safe/b");
  expect(await roleOf("digits")).toMatchObject({
    threshold: 2,
    keys: [{ here: false }, { here: false, scheme: "ecdsa-sha2-nistp256" }],
    waiting: null,
  });
});

test("the root, taken away, signs a rotation where it lies", async () => {
  await coordinator.close();
  renameSync(join(dataDir, "keys", "root.key.json"), join(folder, "safe", "root"));
  coordinator = await start();
  const { stdout } = await keys("rotate", "timestamp");
  expect(stdout).toContain("timestamp");
  const listed = await keys("list");
  expect(listed.stdout).toMatch(
    /^root: version 2 \(change\) waits for signatures: 0 of 1, and of the keys before 0 of 1; /m,
  );
  await sign("root", "safe/root");
  expect(await roleOf("root")).toMatchObject({ version: 2, waiting: null, keys: [{ here: false }] });
});

test("a key of another role, and a file that is none, are refused", async () => {
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", build2nn({ seed: 2 }));
  await json("export", "digits", "--out", at("draft.json"));
  const wrong = await keys("sign", at("draft.json"), "--key", join(folder, "safe", "root"));
  expect([wrong.code === 0, wrong.stderr]).toEqual([false, expect.stringContaining("cli/usage")]);
  const none = await keys("sign", join(folder, "safe", "a.pub"), "--key", join(folder, "safe", "a"));
  expect(none.stderr).toContain("cli/usage");
  const nobody = await keys("remove", "digits", "00000000000000000000");
  expect(nobody.stderr).toContain("cli/usage");
  const nothing = await keys("export", "targets", "--out", at("nothing.json"));
  expect(nothing.stderr).toContain("coordinator/nothing-to-sign");
});

/** Export, sign with each key as somebody without a coordinator does, import; nothing where nothing waits. */
async function sign(role: string, ...files: string[]): Promise<void> {
  if ((await roleOf(role)).waiting === null) return;
  const draft = at(`${role}.json`);
  await json("export", role, "--out", draft);
  for (const file of files) {
    const signed = await keys("sign", draft, "--key", join(folder, file)).catch(() => undefined);
    if (signed !== undefined && signed.code === 0) expect(signed.stdout).toContain("signed with");
  }
  expect((JSON.parse(readFileSync(draft, "utf8")) as { signatures: unknown[] }).signatures).not.toEqual([]);
  await json("import", role, draft);
}
