import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { type ApiClient, createApiClient } from "@tributary/api-client";
import { type Coordinator, createCoordinator } from "@tributary/coordinator";
import { silentLogger } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { type Browser, chromium, expect as seeWithin, type Page } from "playwright/test";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  CLIENT_ID,
  CLIENT_SECRET,
  openIdProvider,
  type OpenIdProvider,
} from "../../coordinator/test/access/openid-provider.ts";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { builtDashboard } from "../src/dashboard-build.ts";
import { findChromium } from "../src/runner/chromium.ts";

// The real command line, a real browser, and a real OpenID provider: whoever has no password here works on the command line too.

// Coordinator, dashboard and other tests share two processors.
const see = seeWithin.configure({ timeout: 20_000 });
const MAIN = join(import.meta.dirname, "../../packages/cli/src/main.ts");
/** For whoever wants to look; no part of the repository. */
const SCREENSHOTS = join(import.meta.dirname, "../../.tributary/screenshots");
const PASSWORD = "correct horse battery";
const NOT_ALLOWED = 4;

const opened = new AsyncDisposableStack();
const complaints: string[] = [];
let folder: string;
let provider: OpenIdProvider;
let coordinator: Coordinator;
let api: ApiClient;
let browser: Browser;

beforeAll(async () => {
  const temporary = temporaryFolder();
  opened.defer(() => temporary.remove());
  folder = temporary.path;
  const dashboardDir = await builtDashboard();
  provider = await openIdProvider("localhost");
  opened.defer(() => provider.close());
  coordinator = await createCoordinator({
    dataDir: join(folder, "coordinator"),
    port: 0,
    dashboardDir,
    // Whoever looks without signing in is asked who they are all the same.
    anonymous: "viewer",
    logLevel: "silent",
    env: { log: silentLogger, passwordCost: { logN: 4, r: 8, p: 1 } },
    oidc: {
      issuer: provider.issuer,
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      name: "Example login",
      grants: ["groups=ml-ops:operator@digits", "groups=ml-ops:viewer"],
    },
  });
  opened.defer(() => coordinator.close());
  provider.open(`${coordinator.url}/v1/session/oidc/callback`, {
    dora: { preferred_username: "dora", groups: ["ml-ops"] },
  });
  provider.person = "dora";
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel("digits", buildLinear({ seed: 1 }));
  await api.addOperator({ name: "ada", password: PASSWORD, grants: [{ model: "*", role: "operator" }] });
  const executablePath = findChromium();
  browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: ["--no-sandbox", "--disable-background-networking"],
  });
  opened.defer(() => browser.close());
  await mkdir(SCREENSHOTS, { recursive: true });
});
afterAll(() => opened.disposeAsync());

interface CommandLine {
  /** The page that it asks to open. */
  readonly address: Promise<string>;
  readonly ended: Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
}

function tributary(...args: string[]): CommandLine {
  const run = `import(${JSON.stringify(MAIN)}).then(({ main }) => main(process.argv));`;
  const child = spawn(process.execPath, ["--conditions=@tributary/source", "-e", run, "tributary", ...args], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, XDG_CONFIG_HOME: join(folder, "config"), TRIBUTARY_TOKEN: "" },
  });
  const printed = { stdout: "", stderr: "" };
  const address = Promise.withResolvers<string>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    printed.stderr += text;
    const found = /(http\S+command-line\?\S+)\n/.exec(printed.stderr)?.[1];
    if (found !== undefined) address.resolve(found);
  });
  const ended = once(child, "close").then(([code]) => {
    address.reject(new Error(`it ended first: ${printed.stderr}`));
    return { code: Number(code), ...printed };
  });
  address.promise.catch(() => {});
  return { address: address.promise, ended };
}

const login = (...args: string[]): CommandLine =>
  tributary("login", coordinator.url, "--browser", "--no-open", ...args);
const changeNotes = () =>
  tributary("model", "card-notes", "digits", "--licence", "MIT", "--url", coordinator.url).ended;

async function openPage(url: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  opened.defer(() => context.close());
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(url);
  return page;
}

async function looksGood(page: Page, name: string): Promise<void> {
  for (const [size, viewport] of [
    ["desktop", { width: 1280, height: 800 }],
    ["phone", { width: 390, height: 844 }],
  ] as const) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
      await page.screenshot({ path: join(SCREENSHOTS, `${name}-${size}-${colorScheme}.png`) });
    }
    const sideways = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(await sideways()).toBeLessThanOrEqual(0);
  }
}

test("whoever the identity provider knows is signed in on the command line, until their session ends", async () => {
  const command = login();
  const address = await command.address;
  const page = await openPage(address);
  await page.getByTestId("sign-in-provider").click();
  // Back on the same page, with all that was asked.
  await see(page.getByRole("heading", { name: "Allow this sign-in?" })).toBeVisible();
  expect(page.url()).toBe(address);
  const facts = page.getByTestId("command-line");
  await see(facts).toContainText("dora");
  await see(facts).toContainText("operator of digits, viewer of all models");
  await see(facts).toContainText("or you sign out of this browser");
  await looksGood(page, "command-line");
  await page.getByTestId("access-send").click();
  await see(page.getByRole("heading", { name: "The command line is signed in" })).toBeVisible();
  expect(new URL(page.url()).origin).toBe(`http://127.0.0.1:${new URL(address).searchParams.get("port")}`);
  const { code, stdout, stderr } = await command.ended;
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/as dora: operator of digits, viewer of all models, until \S+, or the browser/),
  ]);
  expect(stdout + stderr).not.toContain("tributary_op_");

  expect((await changeNotes()).code).toBe(0);
  const { records } = await api.audit({ action: "model.notes" });
  expect(records[0]).toMatchObject({
    actor: { subject: "dora", name: expect.stringMatching(/^dora\/login /) },
  });
  const session = (await api.operatorSessions()).find(({ name }) => name === "dora")!;
  await api.endOperatorSession(session.id);
  const after = await changeNotes();
  expect([after.code, after.stderr]).toEqual([
    NOT_ALLOWED,
    expect.stringContaining("identity/not-authorized"),
  ]);
});

test("whoever has an account signs in on the same page, and may refuse, and be somebody else", async () => {
  const refused = login("--role", "viewer");
  const page = await openPage(await refused.address);
  await page.getByTestId("username").fill("ada");
  await page.getByTestId("password").fill(PASSWORD);
  await page.getByTestId("access-send").click();
  await see(page.getByTestId("command-line")).toContainText("viewer of all models");
  await page.getByTestId("somebody-else").click();
  await see(page.getByTestId("sign-in-provider")).toBeVisible();
  await page.getByTestId("username").fill("ada");
  await page.getByTestId("password").fill(PASSWORD);
  await page.getByTestId("access-send").click();
  await page.getByTestId("access-leave").click();
  await see(page.getByRole("heading", { name: "The command line is not signed in" })).toBeVisible();
  const { code, stderr } = await refused.ended;
  expect([code, stderr]).toEqual([NOT_ALLOWED, expect.stringContaining("cli/login-refused")]);

  const more = login("--role", "admin");
  await page.goto(await more.address);
  await page.getByTestId("access-send").click();
  await see(page.getByRole("alert")).toContainText("Your role does not allow this.");
  await page.getByTestId("access-leave").click();
  expect((await more.ended).code).toBe(NOT_ALLOWED);

  const allowed = login("--role", "digits=viewer", "--days", "1");
  await page.goto(await allowed.address);
  await page.getByTestId("access-send").click();
  await see(page.getByRole("heading", { name: "The command line is signed in" })).toBeVisible();
  expect((await allowed.ended).stdout).toMatch(/as ada: viewer of digits, until \S+\n$/);
  const [token] = await api.apiTokens();
  expect(token).toMatchObject({ account: "ada", session: null, label: expect.stringMatching(/^login /) });
});

test("an address that was written by somebody else leads nowhere", async () => {
  const page = await openPage(`${coordinator.url}/`);
  const signedIn = await page.request.post(`${coordinator.url}/v1/session`, {
    data: { name: "ada", password: PASSWORD },
  });
  expect(signedIn.ok()).toBe(true);
  const written = new URLSearchParams({
    machine: "laptop",
    days: "1",
    port: "80@elsewhere.example",
    state: "s".repeat(43),
    challenge: "c".repeat(43),
  });
  await page.goto(`${coordinator.url}/sign-in/command-line?${written.toString()}`);
  await see(page.getByRole("heading", { name: "Nothing asks here" })).toBeVisible();
  await see(page.getByTestId("access-send")).toHaveCount(0);
  await looksGood(page, "command-line-incomplete");
});

test("the browser complained of nothing but what was refused", () => {
  expect(complaints.filter((text) => !/status of 403/.test(text))).toEqual([]);
});
