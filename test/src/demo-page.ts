import { chromium, type Browser, type BrowserContext, type Page, type Request } from "playwright";
import { findChromium } from "./runner/chromium.ts";

export type Stroke = readonly (readonly [x: number, y: number])[];

/** A seven, in parts of the pad's width and height. */
export const SEVEN: Stroke = [
  [0.25, 0.25],
  [0.75, 0.25],
  [0.45, 0.85],
];

/** A one. */
export const ONE: Stroke = [
  [0.5, 0.2],
  [0.5, 0.85],
];

export function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  return chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: ["--no-sandbox", "--disable-background-networking"],
  });
}

/** What a page did that its visitor would rather not see, and what it fetched. */
export interface PageRecord {
  /** Errors and warnings on the console, uncaught ones, and requests that failed or were answered with an error. */
  readonly complaints: string[];
  /** Addresses the page itself was led to: one for each load. */
  readonly navigations: string[];
  readonly requests: { readonly method: string; readonly url: string }[];
}

export function recordPages(context: BrowserContext): PageRecord {
  const record: PageRecord = { complaints: [], navigations: [], requests: [] };
  const answered = new WeakSet<Request>();
  const complain = (text: string): void => void record.complaints.push(text);
  context.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complain(message.text());
  });
  context.on("weberror", (error) => complain(error.error().message));
  context.on("request", (request) => record.requests.push({ method: request.method(), url: request.url() }));
  context.on("requestfailed", (request) => {
    // Chromium calls some requests aborted whose short answer was read to its end; `response` judges those.
    if (!answered.has(request))
      complain(`${request.method()} ${request.url()}: ${request.failure()?.errorText}`);
  });
  context.on("response", (response) => {
    answered.add(response.request());
    // A TUF client asks for the next root until there is none.
    const newerRoot = /\/tuf\/\d+\.root\.json$/.test(response.url()) && response.status() === 404;
    if (response.status() >= 400 && !newerRoot) complain(`${response.url()}: ${response.status()}`);
  });
  context.on("page", (page) =>
    page.on("framenavigated", (frame) => {
      if (frame === page.mainFrame()) record.navigations.push(frame.url());
    }),
  );
  return record;
}

/** Opens the demo in this context and waits until its model answers for a version. */
export async function openDemo(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.getByTestId("version").filter({ hasText: /^\d+$/ }).waitFor();
  return page;
}

/** Draws on the pad with the mouse and waits until the model has read it. */
export async function draw(page: Page, stroke: Stroke): Promise<void> {
  await page.getByTestId("pad").scrollIntoViewIfNeeded();
  const box = (await page.getByTestId("pad").boundingBox())!;
  for (const [at, [x, y]] of stroke.entries()) {
    await page.mouse.move(box.x + x * box.width, box.y + y * box.height, { steps: at === 0 ? 1 : 5 });
    if (at === 0) await page.mouse.down();
  }
  await page.mouse.up();
  await page.getByTestId("prediction").filter({ hasText: /^\d$/ }).waitFor();
}

/** Draws and says what it was, so that the page keeps it as an example. */
export async function teach(page: Page, stroke: Stroke, label: number, times: number): Promise<void> {
  const count = page.getByTestId("example-count");
  // They are counted once the page has read them.
  await count.filter({ hasText: /^\d+$/ }).waitFor();
  const before = Number(await count.textContent());
  for (let more = 1; more <= times; more++) {
    await draw(page, stroke);
    await page.getByTestId(`label-${label}`).click();
    await count.filter({ hasText: new RegExp(`^${before + more}$`) }).waitFor();
  }
}
