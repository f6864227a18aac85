import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { buildLinear } from "@tributary/onnx";
import { parseTaskSpec, ROLE_RIGHTS, type Right } from "@tributary/protocol";
import { expect as seeWithin, type Locator, type Page } from "playwright/test";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PAGES } from "../../coordinator/dashboard/src/pages.ts";
import {
  type Account,
  ACCOUNTS,
  type DashboardRoom,
  HISTORY,
  openDashboardRoom,
  SIZES,
} from "../src/dashboard-room.ts";

// Every page and every button of the dashboard, as each role, on a desktop and on a phone: on one coordinator, in one browser, and in one
// page of each account, which goes from place to place as links do.

// Coordinator, dashboard and other tests share two processors.
const see = seeWithin.configure({ timeout: 30_000 });
/** All sizes in all colours for every role, and the screenshots of each: minutes of drawing. */
const FULL = process.env.TRIBUTARY_TEST_FULL === "1";
/** Screenshots of every page, by size, colours and role, for whoever wants to look; no part of the repository. */
const SCREENSHOTS = join(import.meta.dirname, "../../.tributary/screenshots");

/** What the addresses of pages name here: an entry of the page list that names more has to be added. */
const NAMES: Record<string, string> = { task: "digits", model: "digits", round: "1", rollout: "spring" };
/** Of the other model: what its own operator sees. */
const OF_LETTERS = ["/tasks/learn-letters", "/models/letters"];

let room: DashboardRoom;
const complaints: string[] = [];
const opened = new AsyncDisposableStack();
beforeAll(async () => {
  room = opened.use(await openDashboardRoom());
  NAMES["device"] = room.device;
  await mkdir(SCREENSHOTS, { recursive: true });
});
afterAll(() => opened.disposeAsync());

const pages = new Map<Account, Page>();

/** The page of an account: signed in, and open. */
async function pageOf(account: Account): Promise<Page> {
  const known = pages.get(account);
  if (known !== undefined) return known;
  const context = await room.signIn(account);
  opened.defer(() => context.close());
  const page = await context.newPage();
  page.on("console", (message) =>
    complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`),
  );
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, sourceFile }) => {
      console.error(`policy: ${violatedDirective} in ${sourceFile}`);
    });
  });
  await page.goto(room.coordinator.url);
  await see(page.getByTestId("connection")).toHaveAttribute("data-status", "live");
  await see(page.getByTestId("who")).toHaveText(ACCOUNTS[account].name);
  pages.set(account, page);
  return page;
}

/** A button that asks before it does something, as it says what it needs. */
interface Button {
  readonly address: string;
  readonly id: string;
  readonly requires: string;
  readonly of: string | undefined;
}

/** The buttons that an admin has, by the address that they are at: what everybody else is held to. */
const all = new Map<string, Button[]>();

describe("every page, at a desktop's and a phone's size, in light and in dark", () => {
  test.each(PAGES.map(({ path }) => path))(
    "%s fits, breaks no rule of its policy, and axe finds nothing",
    async (path) => {
      const page = await pageOf("admin");
      const address = addressOf(path);
      await goTo(page, address);
      for (const [size, viewport] of Object.entries(SIZES)) {
        await page.setViewportSize(viewport);
        await see
          .poll(() => sideways(page), { message: `${address} is wider than a ${size}` })
          .toBeLessThanOrEqual(0);
        for (const colorScheme of ["dark", "light"] as const) {
          await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
          const isLight = colorScheme === "light";
          // Only colours differ in the dark, and they are those of the other size; a phone has the same parts in another order.
          if (isLight && (size === "desktop" || FULL)) complaints.push(...(await wrongs(page)));
          else if (!isLight && size === "desktop")
            complaints.push(...(await wrongs(page, ["color-contrast"])));
          else if (isLight) complaints.push(...(await wrongs(page, PHONE_RULES)));
          if (FULL || isLight === (size === "desktop")) {
            await page.screenshot({
              path: join(SCREENSHOTS, `${fileName(address)}-${size}-${colorScheme}.png`),
              fullPage: true,
            });
          }
        }
      }
      await page.setViewportSize(SIZES.desktop);
      all.set(address, await buttonsAt(page, address));
      expect(complaints.splice(0)).toEqual([]);
    },
  );

  test("the other model's pages have buttons too", async () => {
    const page = await pageOf("admin");
    for (const address of OF_LETTERS) {
      await goTo(page, address);
      all.set(address, await buttonsAt(page, address));
    }
    expect([...all.values()].flat().length).toBeGreaterThan(20);
    expect(complaints.splice(0)).toEqual([]);
  });
});

describe.each(["viewer", "operator", "auditor", "operator of letters"] as const)("%s", (account) => {
  test("is shown the pages that they may see, and the buttons that they may press", async () => {
    const page = await pageOf(account);
    const mayOf = (right: string, of?: string): boolean =>
      ACCOUNTS[account].grants.some(
        ({ model, role }) =>
          (of === undefined || model === "*" || model === of) && ROLE_RIGHTS[role].includes(right as Right),
      );
    const ofOne = account === "operator of letters";
    // What is of the other model is not there for whoever is of one.
    const shown = PAGES.filter(({ path }) => !ofOne || !path.includes(":"));
    for (const { address, requires, of } of [
      ...shown.map(({ path, requires, of }) => ({ address: addressOf(path), requires, of })),
      ...OF_LETTERS.map((address) => ({ address, requires: "view", of: undefined })),
    ]) {
      const isShown = mayOf(requires, of);
      await goTo(page, address);
      await see(page.getByTestId("not-allowed"), `${address} of ${account}`).toHaveCount(isShown ? 0 : 1);
      await see(page.getByTestId("load-error"), `${address} of ${account}`).toHaveCount(0);
      // What they see is less than what an admin does: where it fits a desktop was looked at there.
      for (const [size, viewport] of Object.entries(FULL ? SIZES : { phone: SIZES.phone })) {
        await page.setViewportSize(viewport);
        await see
          .poll(() => sideways(page), { message: `${address} is wider than a ${size}` })
          .toBeLessThanOrEqual(0);
      }
      if (FULL) {
        await page.screenshot({
          path: join(SCREENSHOTS, `${fileName(address)}-phone-${account.replaceAll(" ", "-")}.png`),
        });
      }
      await page.setViewportSize(SIZES.desktop);
      const buttons = await buttonsAt(page, address);
      const theirs = all.get(address)!.filter((button) => isShown && mayOf(button.requires, button.of));
      // Lists of one model's things are shorter.
      if (ofOne) expect(theirs).toEqual(expect.arrayContaining(buttons));
      else expect(buttons).toEqual(theirs);
      for (const button of buttons)
        expect([button, mayOf(button.requires, button.of)]).toEqual([button, true]);
    }
    expect(complaints.splice(0)).toEqual([]);
  });
});

test.each(Object.keys(ACCOUNTS) as Account[])(
  "the page where the %s lets a command line in stands alone, fits, and says what they may",
  async (account) => {
    await using context = await room.signIn(account);
    const page = await context.newPage();
    const asked = { machine: "a-laptop-with-a-long-name-of-its-own", days: "30", port: "49152" };
    const proof = { state: "s".repeat(43), challenge: "c".repeat(43) };
    const query = new URLSearchParams({ ...asked, ...proof }).toString();
    await page.goto(`${room.coordinator.url}/sign-in/command-line?${query}`);
    const [{ role }] = ACCOUNTS[account].grants;
    await see(page.getByTestId("command-line")).toContainText(ACCOUNTS[account].name);
    await see(page.getByTestId("command-line")).toContainText(`${role} of`);
    await see(page.getByRole("button", { name: "Allow" })).toBeVisible();
    await see(page.getByRole("navigation")).toHaveCount(0);
    for (const viewport of Object.values(SIZES)) {
      await page.setViewportSize(viewport);
      expect(await sideways(page)).toBeLessThanOrEqual(0);
      expect(await wrongs(page)).toEqual([]);
    }
  },
);

test("who operates one model has its buttons, and the others' nowhere", async () => {
  const page = await pageOf("operator of letters");
  await goTo(page, "/tasks/learn-letters");
  await see(page.getByTestId("task-start")).toBeVisible();
  await goTo(page, "/tasks");
  await see(page.getByRole("link", { name: "learn-letters" }).first()).toBeVisible();
  await see(page.getByText("digits")).toHaveCount(0);
  await see(page.getByRole("navigation").getByRole("link", { name: "Fleet" })).toHaveCount(0);
  expect(complaints.splice(0)).toEqual([]);
});

test("10,000 rounds and versions are read as they come into sight, and only those in sight are drawn", async () => {
  await using context = await room.browser.newContext({ viewport: SIZES.desktop });
  const page = await context.newPage();
  for (const [address, list, rows] of [
    ["/tasks/learn-letters", "Table of rounds", "round-row"],
    ["/models/letters", "Versions, newest first", "version-row"],
  ] as const) {
    await page.goto(`${room.coordinator.url}${address}`);
    const region = page.getByRole("region", { name: list });
    await see(region.getByTestId(rows).first()).toHaveAttribute(
      rows === "round-row" ? "data-round" : "data-version",
      String(HISTORY),
    );
    const height = () => region.evaluate((element) => element.scrollHeight);
    const before = await height();
    await region.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await see.poll(height).toBeGreaterThan(1.5 * before);
    expect(await region.getByTestId(rows).count()).toBeLessThan(80);
  }
});

describe.each(Object.keys(SIZES) as (keyof typeof SIZES)[])("buttons on a %s", (size) => {
  const pageAt = async (account: Account, address: string): Promise<Page> => {
    const page = await pageOf(account);
    await goTo(page, address);
    await page.setViewportSize(SIZES[size]);
    return page;
  };

  test("an alert is acknowledged, told again, silenced and told; its rule is switched off and on", async () => {
    const page = await pageAt("operator", "/alerts");
    const alert = page.locator("[data-testid=alert][data-rule=space]").first();
    const ofAlert = async () => (await room.api.alerts({ rule: "space", state: "firing" })).alerts[0]!;
    const { id } = await ofAlert();
    await press(page, `acknowledge-${id}`, (dialog) => dialog.getByLabel("What is done").fill("A new disk"));
    await see(alert).toContainText("seen by otto: A new disk");
    await press(page, `unacknowledge-${id}`);
    await see.poll(async () => (await ofAlert()).acknowledgement).toBeNull();
    await press(page, "silence-space", (dialog) => dialog.getByLabel("Why").fill("The night"));
    await see.poll(async () => (await ofAlert()).silencedUntil).not.toBeNull();
    await page.getByRole("tab", { name: "Silences" }).click();
    const [silence] = await room.api.silences();
    await press(page, `end-silence-${silence!.id}`);
    await see.poll(async () => (await ofAlert()).silencedUntil).toBeNull();
    await page.getByRole("tab", { name: "Rules" }).click();
    for (const enabled of [false, true]) {
      await press(page, "switch-rule-space");
      await see.poll(async () => (await room.api.alertRule("space")).enabled).toBe(enabled);
    }
  });

  test("a policy is stopped and enabled; a channel is tested by an admin", async () => {
    const page = await pageAt("operator", "/alerts?tab=policies");
    for (const enabled of [false, true]) {
      await press(page, "switch-policy-challenger");
      await see.poll(async () => (await room.api.policies())[0]!.enabled).toBe(enabled);
    }
    await goTo(page, "/alerts?tab=channels");
    await see(page.getByTestId("channels-for-admins")).toBeVisible();
    const before = room.told.length;
    const admin = await pageAt("admin", "/alerts?tab=channels");
    await press(admin, "test-ops");
    await see.poll(() => room.told.slice(before).join("\n")).toContain("test");
  });

  test("a device is revoked, with the reason, and let in again", async () => {
    const page = await pageAt("operator", `/fleet/${room.device}`);
    await press(page, "revoke-device", (dialog) => dialog.getByTestId("revoke-reason").fill("Lost"));
    await see(page.getByTestId("device-state")).toContainText("revoked");
    expect((await room.api.device(room.device)).state).toBe("revoked");
    await press(page, "readmit-device");
    await see(page.getByTestId("readmit-device")).toHaveCount(0);
    expect((await room.api.device(room.device)).state).not.toBe("revoked");
  });

  test("a task starts and is paused; a channel is moved; versions stay by another rule; a rollout is paused, goes on and is taken back", async () => {
    const page = await pageAt("operator", "/tasks/learn-letters");
    await press(page, "task-start");
    await see.poll(async () => (await room.api.task("learn-letters")).state).toBe("running");
    await press(page, "task-pause");
    await see.poll(async () => (await room.api.task("learn-letters")).state).toBe("paused");

    await goTo(page, "/models/digits");
    await room.api.releaseVersion("digits", 1, { channel: "beta" });
    await press(page.getByRole("row", { name: "beta" }), "move-channel", (dialog) =>
      dialog.getByLabel("Version").fill("2"),
    );
    await see
      .poll(async () => (await room.api.channels("digits")).map(({ version }) => version))
      .toContain(2);
    const days = (await room.api.retention("digits")).rule.releasedWithinDays + 1;
    await press(page, "change-retention", async (dialog) => {
      await see(dialog.getByTestId("change-retention-confirm")).toBeDisabled();
      await dialog.getByLabel("Days that").fill(String(days));
      await see(dialog.getByTestId("change-retention-consequence")).toContainText("No version leaves");
    });
    await see
      .poll(async () => (await room.api.retention("digits")).rule)
      .toMatchObject({ releasedWithinDays: days });

    const rollout = `of-the-${size}`;
    const { version } = await room.api.publishModel("digits", buildLinear({ seed: size }), {
      release: false,
    });
    await endRollouts();
    await room.api.startRollout("digits", { rollout, arms: [{ name: "next", version }], gates: [] });
    await goTo(page, `/models/digits/rollouts/${rollout}`);
    const card = page.getByTestId("rollout");
    await see(card.getByTestId("rollout-step")).toHaveText(["1 %", "10 %", "50 %", "100 %"]);
    for (const [action, state] of [
      ["pause", "paused"],
      ["resume", "running"],
      ["rollback", "rolled-back"],
    ] as const) {
      await see(card.getByTestId(`rollout-${action}`)).toBeVisible();
      await press(page, `rollout-${action}`);
      await see(card).toHaveAttribute("data-state", state);
    }
    expect((await room.api.withdrawals("digits")).map((each) => each.version)).toContain(version);
  });

  test("what the coordinator refuses is said where it was asked for", async () => {
    const page = await pageAt("operator", "/tasks/learn-letters");
    await page.getByTestId("task-start").click();
    const dialog = page.getByRole("alertdialog");
    await room.api.grantOperator("otto", [{ model: "*", role: "viewer" }]);
    try {
      await dialog.getByTestId("task-start-confirm").click();
      await see(dialog.getByRole("alert")).toContainText("Your role does not allow this.");
      await dialog.getByRole("button", { name: "Leave it" }).click();
      expect((await room.api.task("learn-letters")).state).toBe("paused");
    } finally {
      await room.api.grantOperator("otto", [{ model: "*", role: "operator" }]);
    }
    // The browser says so too.
    expect(complaints.splice(0).filter((text) => !text.includes("403 (Forbidden)"))).toEqual([]);
  });

  test("nobody's page complained", () => {
    expect(complaints.splice(0)).toEqual([]);
  });
});

test("where anybody may look, an operator releases a version with the token alone", async () => {
  const { api, coordinator, browser } = room;
  await api.publishModel("drafts", buildLinear({ seed: 1 }));
  await api.publishModel("drafts", buildLinear({ seed: 2 }));
  await api.releaseVersion("drafts", 1);
  await api.createTask(
    parseTaskSpec({
      name: "learn-drafts",
      model: "drafts",
      gate: { metric: "loss", minimumDevices: 3 },
      release: "manual",
      secureAggregation: { mode: "off" },
    }),
  );
  await using context = await browser.newContext({ viewport: SIZES.desktop });
  const page = await context.newPage();
  await page.goto(`${coordinator.url}/tasks/learn-drafts`);
  await see(page.getByTestId("gate")).toHaveAttribute("data-state", "waiting");
  await see(page.getByTestId("gate-next")).toHaveText("Versions are released by an operator alone.");

  // The way from the task to its model.
  await page.getByTestId("to-model").click();

  // What operators write on a card is text there, whatever it looks like.
  const card = page.getByTestId("model-card");
  await see(card.getByRole("spinbutton")).toHaveValue("1");
  await api.setCardNotes("drafts", { intendedUse: "Digits <img src=x onerror=alert(1)>", licence: "MIT" });
  await card.getByRole("spinbutton").fill("2");
  await see(card.getByTestId("card-notes")).toContainText("Digits <img src=x onerror=alert(1)>");
  expect(await card.locator("img").count()).toBe(0);

  const row = (version: number) => page.locator(`[data-testid="version-row"][data-version="${version}"]`);
  await see(row(1).getByTestId("release-word")).toHaveText("released");
  await see(row(2).getByTestId("release-word")).toHaveText("rolled back");
  await row(2).getByTestId("release").click();
  const asked = page.getByRole("alertdialog");
  await see(asked.getByTestId("release-consequence")).toContainText("moves from version 1 to version 2");
  await asked.getByTestId("operator-token").fill("not-the-token");
  await asked.getByTestId("release-confirm").click();
  await see(asked.getByRole("alert")).toBeVisible();
  expect((await api.model("drafts")).releasedVersion).toBe(1);

  await asked.getByTestId("operator-token").fill(coordinator.operatorToken);
  await asked.getByTestId("release-confirm").click();
  await see.poll(async () => (await api.model("drafts")).releasedVersion).toBe(2);
  // The stream tells: the newest is what runs, and nothing is left to release.
  await see(page.getByTestId("release")).toHaveCount(0);
  await see(page.getByTestId("release-word")).toHaveCount(0);

  // Who did it is in the audit log, which asks for no other token.
  await page.getByRole("link", { name: "Audit log" }).click();
  const records = page.getByTestId("audit-row");
  await see(records.first()).toHaveAttribute("data-action", "model.release");
  await see(records.first()).toContainText("drafts, version 2, channel stable by token");
  await api.setTaskState("learn-drafts", { state: "paused" });
  await see(page.locator('[data-action="task.pause"]').first()).toContainText(
    "drafts, task learn-drafts by token",
  );
  await see(page.getByTestId("audit-signed")).toHaveText(/^\d+ records, signed by timestamp \d+$/);

  const other = await context.newPage();
  await other.goto(`${coordinator.url}/audit`);
  await other.getByTestId("show-audit").click();
  await other.getByTestId("audit").getByTestId("operator-token").fill("not-the-token");
  await other.getByTestId("unlock-audit").click();
  await see(other.getByTestId("audit").getByRole("alert")).toBeVisible();
  await see(other.getByTestId("audit-row")).toHaveCount(0);
});

test("a page is reached by its address, by keys and by the way back, and the focus goes along", async () => {
  await using context = await room.browser.newContext({ viewport: SIZES.desktop });
  const page = await context.newPage();
  await page.goto(`${room.coordinator.url}/tasks/learn-letters`);
  await see(page).toHaveTitle("learn-letters · Tributary");
  await see(page.getByRole("navigation", { name: "Breadcrumbs" }).getByRole("listitem")).toHaveText([
    "Tasks",
    "learn-letters",
  ]);
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  await see(page).toHaveTitle("Models · Tributary");
  await see(page.locator("#main")).toBeFocused();
  await page.goBack();
  await see(page).toHaveTitle("learn-letters · Tributary");

  await page.keyboard.press("?");
  const help = page.getByTestId("shortcut-help");
  await see(help.getByRole("switch")).toBeChecked();
  await help.getByRole("switch").click();
  await page.keyboard.press("Escape");
  await see(help).toBeHidden();
  await page.keyboard.press("g");
  await page.keyboard.press("m");
  await see(page).toHaveTitle("learn-letters · Tributary");

  await page.goto(`${room.coordinator.url}/nothing/here`);
  await see(page.getByTestId("no-such-page")).toContainText("/nothing/here");
});

test("on a phone the pages are in a sheet, and colours can be chosen", async () => {
  await using context = await room.browser.newContext({ viewport: SIZES.phone, colorScheme: "light" });
  const page = await context.newPage();
  await page.goto(room.coordinator.url);
  await page.getByTestId("open-navigation").click();
  await page.getByRole("dialog").getByRole("link", { name: "Models" }).click();
  await see(page).toHaveTitle("Models · Tributary");
  await see(page.getByRole("dialog")).toBeHidden();
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const light = await background();
  await page.getByTestId("view-menu").click();
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  await see.poll(background).not.toBe(light);
  await page.reload();
  await see.poll(background).not.toBe(light);
});

/** `/tasks/:task` with what is here. */
function addressOf(path: string): string {
  return path.replaceAll(/:(\w+)\??/g, (_all, name: string) => {
    const named = NAMES[name];
    if (named === undefined) throw new Error(`${path}: say in NAMES what ":${name}" is here`);
    return named;
  });
}

/** Goes there as a link does, and waits until what it shows was read. */
async function goTo(page: Page, address: string): Promise<void> {
  await page.evaluate((to) => history.pushState(null, "", to), address);
  await see(page.locator("main h1")).toHaveCount(1);
  await see(page.locator("main [aria-busy=true]")).toHaveCount(0);
  await see(page.getByTestId("page-failed")).toHaveCount(0);
}

function sideways(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
}

/** What may go wrong where parts are stacked: what scrolls, and how large what is pressed is. */
const PHONE_RULES = ["target-size", "scrollable-region-focusable", "color-contrast"];

/** What axe finds by WCAG 2.2 AA, and by what is good practice. */
async function wrongs(page: Page, rules?: string[]): Promise<string[]> {
  // What passes is not told: that is most of the time.
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ["violations"] });
  const { violations } = await (
    rules === undefined
      ? axe.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"])
      : axe.withRules(rules)
  ).analyze();
  return violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary ?? ""}`).join("; ")}`,
  );
}

function fileName(address: string): string {
  return address === "/" ? "overview" : address.slice(1).replaceAll("/", "-");
}

/** The buttons of a page, of all its parts; in the full run each part is held to what axe knows, for every role. */
async function buttonsAt(page: Page, address: string): Promise<Button[]> {
  const found: Button[] = [];
  const tabs = page.locator("main").getByRole("tab");
  const count = await tabs.count();
  for (let at = 0; at < Math.max(count, 1); at += 1) {
    if (count > 0) await tabs.nth(at).click();
    await see(page.locator("main [aria-busy=true]")).toHaveCount(0);
    if (FULL) complaints.push(...(await wrongs(page)));
    const here = await page.locator("main [data-requires]").evaluateAll((elements) =>
      elements.map((element) => {
        const { testid = "", requires = "", of } = (element as HTMLElement).dataset;
        return { id: testid, requires, of };
      }),
    );
    found.push(...here.map((button) => ({ address, ...button })));
  }
  return found;
}

/** Presses a button, reads what it will do, fills in what it asks for, and does it. */
async function press(
  within: Page | Locator,
  testId: string,
  fill?: (dialog: Locator) => Promise<void>,
): Promise<void> {
  const button = within.getByTestId(testId).first();
  await button.click();
  const page = "page" in within ? within.page() : within;
  const dialog = page.getByRole("alertdialog");
  await see(dialog.getByTestId(`${testId}-consequence`)).not.toBeEmpty();
  await fill?.(dialog);
  await dialog.getByTestId(`${testId}-confirm`).click();
  await see(dialog).toBeHidden();
}

/** A model has one rollout of a channel at a time. */
async function endRollouts(): Promise<void> {
  for (const { rollout, state } of (await room.api.rollouts("digits")).rollouts)
    if (state === "running" || state === "paused")
      await room.api.changeRollout("digits", rollout, { action: "abort" });
}
