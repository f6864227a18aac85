import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient, type ApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { loginAt, loginFile } from "../src/access/logins.ts";
import { EXIT_CODES } from "../src/exit-codes.ts";
import { runMain } from "./run-main.ts";
import { hasTerminal, onTerminal, tributaryOnTerminal, tributaryWithInput } from "./tributary-process.ts";

const PASSWORD = "correct horse battery";
let folder: string;
let coordinator: Coordinator;
let api: ApiClient;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tributary-login-"));
  coordinator = await createCoordinator({ dataDir: join(folder, "data"), port: 0, logLevel: "silent" });
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: 1 }));
  await api.addOperator({ name: "ada", password: PASSWORD, grants: [{ model: "*", role: "operator" }] });
  vi.stubEnv("XDG_CONFIG_HOME", join(folder, "config"));
  vi.stubEnv("TRIBUTARY_TOKEN", "");
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await coordinator?.close();
  await rm(folder, { recursive: true });
});
afterEach(() => void vi.stubEnv("TRIBUTARY_TOKEN", ""));

const login = (...args: string[]) =>
  tributaryWithInput(
    `${PASSWORD}\n`,
    "login",
    coordinator.url,
    "--account",
    "ada",
    "--password-stdin",
    ...args,
  );
const tokensOf = async (account: string) =>
  (await api.apiTokens()).filter((token) => token.account === account);

test("login keeps a token that commands act with, and logout revokes it", async () => {
  const models = () => runMain("model", "list", "--url", coordinator.url);
  expect((await models()).code).toBe(EXIT_CODES.notAllowed);

  const first = await login();
  expect(first.stdout).toMatch(/^signed in to \S+ as ada: operator of all models, until \d{4}-/);
  const kept = await stat(loginFile());
  expect(kept.mode & 0o777).toBe(0o600);
  const text = await readFile(loginFile(), "utf8");
  expect(text).not.toContain(PASSWORD);
  const { token } = loginAt(coordinator.url)!;
  expect(first.stdout + first.stderr).not.toContain(token);
  expect((await models()).stdout).toContain("digits");
  // The session that it took is over, and no other URL is told of the token.
  expect(await api.operatorSessions()).toEqual([]);
  expect(loginAt("http://127.0.0.1:1")).toBeUndefined();

  // Again, with less: the token of before is revoked.
  const second = await login("--role", "digits=viewer", "--days", "1", "--json");
  expect(JSON.parse(second.stdout)).toMatchObject({
    account: "ada",
    grants: [{ model: "digits", role: "viewer" }],
  });
  expect(await tokensOf("ada")).toHaveLength(1);
  const pause = await runMain("model", "card", "digits", "--licence", "MIT", "--url", coordinator.url);
  expect(pause.code).not.toBe(EXIT_CODES.done);

  // A token makes no tokens, and it says what does.
  const more = await runMain("api-token", "create", "more", "--role", "viewer", "--url", coordinator.url);
  expect([more.code, more.stderr]).toEqual([
    EXIT_CODES.notAllowed,
    expect.stringMatching(
      /A token makes no tokens\. \(identity\/token-makes-none\) Sign in: tributary login/,
    ),
  ]);

  const out = await runMain("logout", coordinator.url);
  expect(out.stdout).toBe(`signed ada out of ${coordinator.url}\n`);
  expect(await tokensOf("ada")).toEqual([]);
  expect((await models()).code).toBe(EXIT_CODES.notAllowed);
  expect((await runMain("logout", coordinator.url, "--json")).stdout).toBe(
    `${JSON.stringify({ url: coordinator.url, account: null, revoked: false })}\n`,
  );
});

test("the variable, and a folder that is named, go before a login; one that has ended is none", async () => {
  await login();
  const read = (...args: string[]) =>
    runMain("api-token", "list", "--json", "--url", coordinator.url, ...args);
  const owners = async (result: Promise<{ stdout: string }>): Promise<unknown> =>
    (JSON.parse((await result).stdout) as { tokens: { account: string }[] }).tokens.map(
      ({ account }) => account,
    );
  await api.createApiToken({ label: "of nobody", grants: [{ model: "*", role: "viewer" }], days: 1 });
  // An operator sees their own, the token of the data directory all.
  expect(await owners(read())).toEqual(["ada"]);
  expect(await owners(read("--data-dir", join(folder, "data")))).toHaveLength(2);
  vi.stubEnv("TRIBUTARY_TOKEN", "tributary_op_000000000000_no");
  expect((await read()).code).toBe(EXIT_CODES.notAllowed);
  vi.stubEnv("TRIBUTARY_TOKEN", coordinator.operatorToken);
  expect(await owners(read())).toHaveLength(2);
  vi.stubEnv("TRIBUTARY_TOKEN", "");
  expect(loginAt(coordinator.url, Date.now() + 31 * 86_400_000)).toBeUndefined();

  // A file that others could read is not used.
  await chmod(loginFile(), 0o644);
  const exposed = await read();
  expect([exposed.code, exposed.stderr]).toEqual([EXIT_CODES.failed, expect.stringContaining("chmod 600")]);
  await chmod(loginFile(), 0o600);
  await writeFile(loginFile(), "{");
  expect((await read()).stderr).toContain("is damaged");
  await rm(loginFile());
});

test("a wrong password, one that would travel in the open, and nobody to ask", async () => {
  const wrong = await tributaryWithInput(
    "not it\n",
    "login",
    coordinator.url,
    "--account",
    "ada",
    "--password-stdin",
  ).catch((error: unknown) => error as { stderr: string; code: number });
  expect(wrong).toMatchObject({ code: EXIT_CODES.notAllowed });
  expect(wrong.stderr).toContain("identity/sign-in-failed");
  expect(wrong.stderr).not.toContain("not it");
  const plain = await runMain("login", "http://fl.example.org", "--account", "ada", "--password-stdin");
  expect([plain.code, plain.stderr]).toEqual([EXIT_CODES.misuse, expect.stringContaining("--insecure")]);
  expect((await runMain("login", "fl.example.org")).code).toBe(EXIT_CODES.misuse);
});

test("a password that is typed on a terminal is not shown on it", async (context) => {
  context.skip(!hasTerminal(), "nothing gives a command a terminal here: `script` of util-linux does");
  // A terminal shows what is typed, unless it is told not to.
  expect(await onTerminal([["Name", "lovelace"]], "sh", "-c", "echo Name; read name")).toContain("lovelace");
  const shown = await tributaryOnTerminal(
    [["Password of ada", PASSWORD]],
    "login",
    coordinator.url,
    "--account",
    "ada",
  );
  expect(shown).toContain("signed in to");
  expect(shown).not.toContain(PASSWORD);
  await runMain("logout", coordinator.url);
  vi.stubEnv("TRIBUTARY_TOKEN", coordinator.operatorToken);
  const added = await tributaryOnTerminal(
    [
      ["Password", PASSWORD],
      ["The same again", `${PASSWORD}!`],
    ],
    "operator",
    "add",
    "grace",
    "--role",
    "viewer",
    "--url",
    coordinator.url,
  );
  expect(added).toContain("the two passwords differ; nothing was changed");
  expect(added).not.toContain(PASSWORD);
});
