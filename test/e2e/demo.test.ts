import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiClient, type ApiClient } from "@tributary/api-client";
import { createStack, digitsTask, MODEL, POPULATION, TASK, type Stack } from "@tributary/cli";
import { buildDigitsCnn } from "@tributary/onnx";
import { createFleet, heldOutDigits, labelledImagesFile, type Fleet } from "@tributary/simulator";
import type { Browser, Page } from "playwright";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  draw,
  launchChromium,
  openDemo,
  recordPages,
  SEVEN,
  ONE,
  teach,
  type PageRecord,
  type Stroke,
} from "../src/demo-page.ts";

const NODE_DEVICES = 4;
/** What this app lets its devices take part in: a trial. */
const TRIAL_FLOOR = 3;

let dataDir: string;
let stack: Stack;
let fleet: Fleet | undefined;
let api: ApiClient;
let browser: Browser;
const records: PageRecord[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "tributary-demo-"));
  stack = await createStack({
    host: "127.0.0.1",
    port: 0,
    demoPort: 0,
    dataDir: join(dataDir, "coordinator"),
    minimumCohort: () => TRIAL_FLOOR,
  });
  const { coordinator } = stack;
  api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await api.publishModel(MODEL, buildDigitsCnn({ seed: "digits" }));
  await stack.buildSites();
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await fleet?.close();
  await stack?.close();
  await rm(dataDir, { recursive: true, force: true });
});

/** A browser of its own: other storage, another device. */
async function openPage(): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  records.push(recordPages(context));
  return openDemo(context, stack.demoUrl);
}

/** In the page: of every private key in its databases, whether it could be taken out. */
async function extractableKeys(): Promise<boolean[]> {
  const settled = <T>(request: IDBRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const found: boolean[] = [];
  for (const { name } of await indexedDB.databases()) {
    const database = await settled(indexedDB.open(name!));
    const rows = await settled(database.transaction("identity").objectStore("identity").getAll());
    for (const { keys } of rows as { keys: CryptoKeyPair }[]) found.push(keys.privateKey.extractable);
    database.close();
  }
  return found;
}

/** How far a page's training is, as the page says it. */
function training(page: Page) {
  const participation = page.getByTestId("participation");
  const words = /step (\d+) of \d+/;
  return {
    participation,
    /** The first step after the one given that is seen. */
    step: async (after = 0): Promise<number> => {
      for (;;) {
        await participation.filter({ hasText: words }).waitFor({ timeout: 60_000 });
        const shown = Number(words.exec((await participation.textContent()) ?? "")?.[1] ?? 0);
        if (shown > after) return shown;
      }
    },
  };
}

const complaints = (): string[] => records.flatMap((record) => record.complaints);

describe("the digits pad", () => {
  test("reads a drawing, keeps corrections over a reload, trains with consent, and swaps the new version in", async () => {
    const page = await openPage();
    await teach(page, SEVEN, 7, 6);
    await page.getByTestId("example-count").filter({ hasText: /^6$/ }).waitFor();
    await page.reload();
    await page.getByTestId("example-count").filter({ hasText: /^6$/ }).waitFor();
    expect(await page.getByTestId("participation").getAttribute("data-state")).toBe("off");

    // Marks this load of the page: a reload would lose it.
    await page.evaluate(() => Object.assign(globalThis, { notReloaded: true }));
    await page.getByTestId("consent").getByRole("switch").click();
    const { digest } = await api.uploadBlob(labelledImagesFile(heldOutDigits({ seed: "demo", count: 200 })));
    const task = digitsTask({ devices: NODE_DEVICES + 1, heldOut: digest, rounds: 1 });
    await api.createTask({
      ...task,
      cohort: { ...task.cohort, goalCount: NODE_DEVICES + 1, minimumCount: NODE_DEVICES + 1 },
    });
    const { coordinator } = stack;
    fleet = await createFleet({
      coordinator: coordinator.url,
      trustedRoot: coordinator.tufRoot,
      mintToken: () => coordinator.mintEnrolmentToken(POPULATION),
      dataDir: join(dataDir, "fleet"),
      devices: NODE_DEVICES,
      threads: 1,
      examples: { min: 40, max: 60 },
      minimumCohort: TRIAL_FLOOR,
    });
    await page
      .getByTestId("toast")
      .filter({ hasText: "Version 2 arrived, in use." })
      .waitFor({ timeout: 60_000 });
    await page.getByTestId("version").filter({ hasText: /^2$/ }).waitFor();
    await page.getByTestId("log").filter({ hasText: "committed as version 2" }).waitFor();
    const trial = `One of ${NODE_DEVICES + 1} devices in a trial: so few that the sum is not private.`;
    await page.getByTestId("log").filter({ hasText: trial }).waitFor();
    await page.getByTestId("log").filter({ hasText: "Sent the difference under masks" }).waitFor();
    expect(await page.evaluate(() => "notReloaded" in globalThis)).toBe(true);
    const round = (await api.rounds(TASK, { limit: 10 })).rounds.at(-1);
    expect(round).toMatchObject({ cohort: NODE_DEVICES + 1, reported: NODE_DEVICES + 1, dropouts: 0 });

    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    expect(await page.evaluate(extractableKeys)).toEqual([false]);

    // It answers with the new version.
    await draw(page, SEVEN);
    // Why it reads that: the graph of the gradients came with the release.
    await page.getByTestId("why").click();
    await page.getByTestId("heat").waitFor();
    expect(await page.getByTestId("why-for").textContent()).toBe(
      `speaks for a ${await page.getByTestId("prediction").textContent()}`,
    );
    await page.getByTestId("why").click();
    await page.getByTestId("heat").waitFor({ state: "hidden" });
    await page.getByTestId("consent").getByRole("switch").click();
    await page.getByTestId("participation").filter({ hasText: "Off." }).waitFor();
    await page.context().close();
    expect(complaints()).toEqual([]);
  });

  test("learns a hand on this device alone, reads by it after a reload, and unlearns it", async () => {
    const page = await openPage();
    const learn = page.getByTestId("learn-hand");
    const text = page.getByTestId("hand-text");
    await text.filter({ hasText: "Keep 5 drawings" }).waitFor();
    expect(await learn.isDisabled()).toBe(true);
    // No two alike: the page centres a drawing, so that one that is only moved is the same.
    const slanted = (stroke: Stroke, by: number): Stroke => stroke.map(([x, y]) => [x + by * (0.5 - y), y]);
    for (const by of [-0.3, -0.1, 0.1, 0.3]) {
      await teach(page, slanted(SEVEN, by), 7, 1);
      await teach(page, slanted(ONE, by), 1, 1);
    }
    const sent = records.at(-1)!.requests.length;
    await learn.click();
    await text.filter({ hasText: "It learnt your hand from" }).waitFor({ timeout: 30_000 });
    expect(await page.getByTestId("hand-progress").isHidden()).toBe(true);
    // What left the device meanwhile: nothing but questions for the graphs.
    const methods = records.at(-1)!.requests.slice(sent);
    expect(methods.filter(({ method }) => method !== "GET")).toEqual([]);
    await draw(page, SEVEN);
    await page.getByTestId("prediction").filter({ hasText: /^7$/ }).waitFor();
    await page.reload();
    await text.filter({ hasText: "It learnt your hand from" }).waitFor();
    await draw(page, ONE);
    await page.getByTestId("prediction").filter({ hasText: /^1$/ }).waitFor();
    await page.getByTestId("unlearn-hand").click();
    await text.filter({ hasText: "Unlearnt" }).waitFor();
    expect(await page.getByTestId("unlearn-hand").isHidden()).toBe(true);
    await page.context().close();
    expect(complaints()).toEqual([]);
  });

  test("a second tab follows the first, and takes over when that is closed", async () => {
    const first = await openPage();
    await teach(first, SEVEN, 7, 1);
    const second = await first.context().newPage();
    await second.goto(stack.demoUrl);
    await second.getByTestId("example-count").filter({ hasText: /^1$/ }).waitFor();
    await second.getByTestId("consent").getByRole("switch").click();
    await second.getByTestId("participation").filter({ hasText: "Another tab" }).waitFor();
    // Consent is one for all tabs: the first takes part.
    await first.getByTestId("participation").filter({ hasText: "Waiting for the next round" }).waitFor();
    await first.close();
    await second.getByTestId("participation").filter({ hasText: "Waiting for the next round" }).waitFor();
    await second.context().close();
    expect(complaints()).toEqual([]);
  });

  test("erasing takes two presses and ends participation for want of examples", async () => {
    const page = await openPage();
    await teach(page, SEVEN, 7, 2);
    await page.getByTestId("consent").getByRole("switch").click();
    await page.getByTestId("erase").click();
    expect(await page.getByTestId("example-count").textContent()).toBe("2");
    await page.getByTestId("erase").click();
    await page.getByTestId("example-count").filter({ hasText: /^0$/ }).waitFor();
    await page.getByTestId("participation").filter({ hasText: "no examples yet" }).waitFor();
    await teach(page, SEVEN, 7, 1);
    await page.getByTestId("forget").click();
    await page.getByTestId("forget").click();
    const words = /Erased here: 1 example, 2 keys, your consent\. The coordinator erased its record/;
    await page.getByTestId("forgotten").filter({ hasText: words }).waitFor();
    await page.getByTestId("example-count").filter({ hasText: /^0$/ }).waitFor();
    expect(await page.getByTestId("consent").getByRole("switch").getAttribute("aria-checked")).toBe("false");
    expect(await page.evaluate(() => localStorage.getItem("tributary-consent"))).toBeNull();
    await page.context().close();
    expect(complaints()).toEqual([]);
  });

  test("a training outlasts a frozen tab and a tab that crashed, and ends with the consent", async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    // A site of a task of its own.
    await context.route("**/tributary.json", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...((await response.json()) as object), task: "long" } });
    });
    const page = await openDemo(context, stack.demoUrl);
    const { step } = training(page);
    await teach(page, SEVEN, 7, 3);
    await page.getByTestId("consent").getByRole("switch").click();
    const { digest } = await api.uploadBlob(labelledImagesFile(heldOutDigits({ seed: "life", count: 20 })));
    const { local, cohort, ...task } = digitsTask({ devices: 1, heldOut: digest, rounds: 1 });
    // More steps than this test has time for.
    await api.createTask({
      ...task,
      name: "long" as never,
      // The fleet's devices would be busy for as long as this test is.
      eligibility: { engines: ["ort-wasm"] },
      local: { ...local, epochs: 1000, batchSize: 1 },
      cohort: { ...cohort, trainDeadlineMs: 600_000 },
    });
    const begun = await step();

    // Frozen, it does nothing; a tab beside it answers meanwhile.
    const devTools = await context.newCDPSession(page);
    await devTools.send("Page.setWebLifecycleState", { state: "frozen" });
    const beside = await openDemo(context, stack.demoUrl);
    await draw(beside, SEVEN);
    await beside.close();
    await devTools.send("Page.setWebLifecycleState", { state: "active" });
    // A second of its steps, and so a write.
    for (const written = (await step(begun)) + 100; (await step()) < written;);

    await page.goto("chrome://crash").catch(() => undefined); // it takes the tab with it
    await page.close();
    const again = await openDemo(context, stack.demoUrl);
    const resumed = await training(again).step();
    // What was learned since the last write is lost: a megabyte a second is written.
    expect(resumed).toBeGreaterThan(begun);

    const willing = async () => (await api.activity("long")).checkedIn;
    const all = await willing();
    await again.getByTestId("consent").getByRole("switch").click();
    await training(again).participation.filter({ hasText: "Off." }).waitFor();
    await expect.poll(willing).toBe(all - 1);
    await context.close();
    await api.setTaskState("long", { state: "paused" });
  });

  test("a new version of the page waits for the person", async () => {
    const page = await openPage();
    await page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined));
    const shells = async () =>
      (await page.evaluate(() => globalThis.caches.keys())).filter((name) => name.includes("shell"));
    const [shell] = await shells();
    expect(shell).toMatch(/^tributary-demo shell [0-9a-f]{16}$/);
    // The next version of the worker, under an address of its own: Playwright routes a registration, and no update.
    const next = "0".repeat(16);
    await page.context().route("**/service-worker.js?next", async (route) => {
      const response = await route.fetch();
      const body = (await response.text()).replace(shell!.slice(-next.length), next);
      await route.fulfill({ response, body });
    });
    await page.evaluate(() => navigator.serviceWorker.register("service-worker.js?next"));
    await page.getByTestId("reload").waitFor();
    const controller = () => page.evaluate(() => navigator.serviceWorker.controller?.scriptURL);
    expect(await controller()).toMatch(/service-worker\.js$/); // still
    await Promise.all([page.waitForEvent("load"), page.getByTestId("reload").click()]);
    expect(await controller()).toMatch(/\?next$/);
    expect(await shells()).toContain(`tributary-demo shell ${next}`);
    await page.context().close();
    expect(complaints()).toEqual([]);
  });

  test("after one visit the page works with every server gone", async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await openDemo(context, stack.demoUrl);
    await page.getByTestId("source").filter({ hasText: "work without network" }).waitFor();
    const engines = await page.evaluate(async () => {
      const name = (await globalThis.caches.keys()).find((each) => each.includes("engine"))!;
      return (await (await globalThis.caches.open(name)).keys()).length;
    });
    expect(engines).toBe(1); // of three
    await fleet?.close();
    await stack.close();
    await page.reload();
    await page.getByTestId("version").filter({ hasText: /^\d+$/ }).waitFor();
    await teach(page, SEVEN, 7, 1);
    await context.close();
  });
});
