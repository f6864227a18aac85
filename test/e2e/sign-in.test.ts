import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { type Browser, chromium, expect as seeWithin, type Page } from "playwright/test";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CLIENT_ID,
  CLIENT_SECRET,
  openIdProvider,
  type OpenIdProvider,
} from "../../coordinator/test/access/openid-provider.ts";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { builtDashboard } from "../src/dashboard-build.ts";
import { findChromium } from "../src/runner/chromium.ts";

// Coordinator, dashboard and other tests share two processors.
const see = seeWithin.configure({ timeout: 20_000 });

const PASSWORD = "correct horse battery";
const ANOTHER = "another battery of horses";
const opened = new AsyncDisposableStack();
const complaints: string[] = [];
let provider: OpenIdProvider;
let coordinator: Coordinator;
let browser: Browser;

beforeAll(async () => {
  const folder = temporaryFolder();
  opened.defer(() => folder.remove());
  const dashboardDir = await builtDashboard();
  // Another site than the coordinator's, as it is to be: cookies are not sent along from there.
  provider = await openIdProvider("localhost");
  opened.defer(() => provider.close());
  coordinator = await createCoordinator({
    dataDir: join(folder.path, "coordinator"),
    port: 0,
    dashboardDir,
    logLevel: "silent",
    oidc: {
      issuer: provider.issuer,
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      name: "Example login",
      grants: ["groups=readers:viewer"],
      signOut: true,
    },
  });
  provider.open(`${coordinator.url}/v1/session/oidc/callback`, {
    dora: { preferred_username: "dora", groups: ["readers"] },
    eve: { preferred_username: "eve", groups: ["sales"] },
  });
  opened.defer(() => coordinator.close());
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  for (const model of ["digits", "cats"]) await api.publishModel(model, buildLinear({ seed: model }));
  const executablePath = findChromium();
  browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: ["--no-sandbox", "--disable-background-networking"],
  });
  opened.defer(() => browser.close());
});
afterAll(() => opened.disposeAsync());

async function openPage(url: string, width = 1280): Promise<Page> {
  const context = await browser.newContext({ viewport: { width, height: 800 } });
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`${message.text()} ${message.location().url}`);
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(url);
  return page;
}

async function fill(page: Page, name: string, field: "password" | "new-password"): Promise<void> {
  await page.getByTestId("username").fill(name);
  await page.getByTestId(field).fill(PASSWORD);
  await page.getByTestId("access-send").click();
}

test("the link of the first start makes the first account; whoever is signed out comes back to where they were", async () => {
  const page = await openPage(coordinator.setupUrl!);
  await see(page.getByRole("heading", { name: "The first account" })).toBeVisible();
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await fill(page, "ada", "new-password");
  await see(page.getByTestId("who")).toHaveText("ada");
  expect(new URL(page.url()).hash).toBe("");

  await page.goto(`${coordinator.url}/models/digits`);
  await see(page.getByTestId("who")).toHaveText("ada");
  // The session ends elsewhere.
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  for (const { id } of await api.operatorSessions()) await api.endOperatorSession(id);
  await page.goto(`${coordinator.url}/models/digits`);
  await see(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await page.getByTestId("username").fill("ada");
  await page.getByTestId("password").fill("another one");
  await page.getByTestId("access-send").click();
  await see(page.getByRole("alert")).toHaveText("The name or the password is wrong.");
  await fill(page, "ada", "password");
  await see(page.getByTestId("who")).toHaveText("ada");
  expect(new URL(page.url()).pathname).toBe("/models/digits");

  await page.getByTestId("sign-out").click();
  await see(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await page.context().close();
});

test("who views one model is shown that one, and nothing to change it with", async () => {
  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.addOperator({
    name: "ben",
    password: PASSWORD,
    grants: [{ model: "digits", role: "viewer" }],
  });
  const page = await openPage(`${coordinator.url}/models`, 390);
  await fill(page, "ben", "password");
  await see(page.getByRole("link", { name: "digits" }).first()).toBeVisible();
  await see(page.getByText("cats")).toHaveCount(0);
  await page.goto(`${coordinator.url}/models/digits`);
  await see(page.getByRole("heading", { name: "digits" }).first()).toBeVisible();
  await see(page.getByTestId("release")).toHaveCount(0);
  await page.context().close();
});

test("whoever the identity provider knows signs in there, and comes back to where they were; or is told why not", async () => {
  const page = await openPage(`${coordinator.url}/models/digits`);
  provider.person = "eve";
  await page.getByTestId("sign-in-provider").click();
  await see(page.getByRole("alert")).toContainText("nothing here is open to you");
  expect(new URL(page.url()).pathname).toBe("/models/digits");
  // Somebody else sits down; the provider remembers whoever was there before.
  await page.context().clearCookies();
  provider.person = "dora";
  await page.goto(`${coordinator.url}/models/digits`);
  await page.getByTestId("sign-in-provider").click();
  await see(page.getByTestId("who")).toHaveText("dora");
  expect(new URL(page.url()).pathname).toBe("/models/digits");
  await page.getByTestId("who").click();
  await see(page.getByTestId("you")).toContainText("The identity provider");
  await see(page.getByTestId("change-password")).toHaveCount(0);
  await see(page.getByTestId("tab-accounts")).toHaveCount(0);
  await page.getByTestId("tab-tokens").click();
  await see(page.getByTestId("tokens")).toContainText("end with the session in which you made them");
  await page.getByTestId("make-token").click();
  await see(page.getByTestId("days")).toHaveCount(0);
  await see(page.getByTestId("make-token-consequence")).toContainText("ends when you sign out");
  await page.getByTestId("label").fill("notebook");
  await page.getByTestId("make-token-confirm").click();
  const token = await page.getByTestId("made-token").locator("code").textContent();
  const status = async (): Promise<number> =>
    (await fetch(`${coordinator.url}/v1/models`, { headers: { authorization: `Bearer ${token}` } })).status;
  expect(await status()).toBe(200);
  await see(page.getByTestId("tokens")).toContainText("with its browser's session");
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  // At the provider too, which asks; and back again.
  await page.getByTestId("sign-out").click();
  await see(page).toHaveURL((url) => url.origin === provider.issuer);
  expect(await status()).toBe(401);
  await page.getByRole("button", { name: "Yes, sign me out" }).click();
  await see(page.getByTestId("sign-in-provider")).toBeVisible();
  expect(page.url()).toBe(`${coordinator.url}/`);
  await page.context().close();
});

describe("the settings", () => {
  let page: Page;
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await fetch(`${coordinator.url}/v1/models`, { headers })).status;
  const confirm = async (action: string, says: string): Promise<void> => {
    await see(page.getByTestId(`${action}-consequence`)).toContainText(says);
    await page.getByTestId(`${action}-confirm`).click();
    await see(page.getByTestId(`${action}-confirm`)).toHaveCount(0);
  };
  const looksGood = async (): Promise<void> =>
    expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);

  beforeAll(async () => {
    page = await openPage(`${coordinator.url}/settings`);
    await fill(page, "ada", "password");
    await see(page.getByTestId("you")).toContainText("admin of all models");
  });
  afterAll(() => page.context().close());

  test("change one's password, and sign other browsers out", async () => {
    await page.getByTestId("change-password").click();
    await page.getByTestId("current-password").fill(PASSWORD);
    await page.getByTestId("new-password").fill("too short");
    await page.getByTestId("change-password-confirm").click();
    await see(page.getByRole("alert")).toContainText("expected 12 to 256");
    await page.getByTestId("new-password").fill(ANOTHER);
    await confirm("change-password", "Your other browsers are signed out");
    const other = await fetch(`${coordinator.url}/v1/session`, {
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": "another browser" },
      body: JSON.stringify({ name: "ada", password: ANOTHER }),
    });
    const cookie = other.headers.get("set-cookie")!.split(";", 1)[0]!;
    expect(await status({ cookie })).toBe(200);
    await page.reload();
    const row = page.getByTestId("browsers").getByRole("row", { name: "another browser" });
    await row.getByRole("button", { name: "Sign out" }).click();
    const dialog = page.getByRole("alertdialog");
    await see(dialog).toContainText("has to sign in again");
    await dialog.getByRole("button", { name: "Sign out" }).click();
    await see(row).toHaveCount(0);
    expect(await status({ cookie })).toBe(401);
  });

  test("make a token, which is shown once, and revoke it", async () => {
    await page.getByTestId("tab-tokens").click();
    await page.getByTestId("make-token").click();
    await page.getByTestId("label").fill("nightly");
    await page.getByTestId("model-0").selectOption("digits");
    await page.getByTestId("days").selectOption("7");
    await confirm("make-token", "never more than you");
    const token = (await page.getByTestId("made-token").locator("code").textContent())!;
    await looksGood();
    const authorization = `Bearer ${token}`;
    expect(await status({ authorization })).toBe(200);
    await see(page.getByTestId("tokens")).toContainText("viewer of digits");
    await page.reload();
    await see(page.getByTestId("tokens")).toContainText("for 7 days");
    await see(page.getByText(token)).toHaveCount(0);
    await page.getByTestId("revoke-nightly").click();
    await confirm("revoke-nightly", "cannot be taken back");
    await see(page.getByTestId("tokens")).toContainText("There is no token yet.");
    expect(await status({ authorization })).toBe(401);
  });

  test("add an account, give it other roles and another password, and remove it", async () => {
    const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
    const cleo = async () => (await api.operators()).find(({ name }) => name === "cleo");
    await page.getByTestId("tab-accounts").click();
    await page.getByTestId("add-account").click();
    await page.getByTestId("username").fill("cleo");
    await page.getByTestId("new-password").fill(PASSWORD);
    await page.getByTestId("role-0").selectOption("operator");
    await page.getByTestId("model-0").selectOption("cats");
    await page.getByTestId("another-role").click();
    await looksGood();
    await confirm("add-account", "may what the roles say");
    const first = await cleo();
    expect(first?.grants).toEqual([
      { role: "operator", model: "cats" },
      { role: "viewer", model: "*" },
    ]);
    await page.getByTestId("roles-cleo").click();
    await page.getByRole("button", { name: "Leave role 2 out" }).click();
    await confirm("roles-cleo", "Until now: operator of cats, viewer of all models");
    expect((await cleo())?.grants).toEqual([{ role: "operator", model: "cats" }]);
    await page.getByTestId("password-cleo").click();
    await page.getByTestId("new-password").fill(ANOTHER);
    await confirm("password-cleo", "Their browsers are signed out");
    expect((await cleo())?.passwordChangedAt).not.toBe(first?.passwordChangedAt);
    await page.getByTestId("remove-cleo").click();
    await confirm("remove-cleo", "signed out everywhere");
    expect(await cleo()).toBeUndefined();
    await page.getByTestId("tab-ways-in").click();
    await see(page.getByTestId("ways-in")).toContainText("Example login");
  });
});

test("the browser complained of nothing but what was refused", () => {
  // Wrong passwords, sessions that ended, and one that was too short.
  expect(complaints.filter((text) => !/status of 401|status of 422/.test(text))).toEqual([]);
});
