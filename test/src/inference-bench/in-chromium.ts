import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright";
import { build, defaultClientConditions } from "vite";
import { launchChromium } from "../demo-page.ts";
import type { BatchTimes, Times } from "./contestant.ts";
import type { Bench } from "./page/main.ts";
import { serveBench, type BenchServer } from "./serve-bench.ts";

declare const bench: Bench;

const PAGE = join(import.meta.dirname, "page");

/** The page of the benchmark, built as an app's would be, in a real Chromium. */
export interface ChromiumBench {
  readonly server: BenchServer;
  interleave(names: readonly string[], model: string, calls: number): Promise<Times>;
  batching(
    names: readonly string[],
    model: string,
    rounds: number,
  ): Promise<Readonly<Record<string, BatchTimes>>>;
  /** From nothing to the first answer: in a browser that was never here, and on its second visit. */
  start(name: string, model: string): Promise<{ readonly coldMs: number; readonly cachedMs: number }>;
  close(): Promise<void>;
}

export async function openChromiumBench(): Promise<ChromiumBench> {
  const folder = mkdtempSync(join(tmpdir(), "tributary-bench-"));
  let server: BenchServer | undefined;
  let browser: Browser | undefined;
  const close = async (): Promise<void> => {
    await browser?.close();
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await buildPage(folder);
    server = await serveBench(folder);
    const launched = await launchChromium();
    browser = launched;
    const { url } = server;
    const page = await openPage(await launched.newContext(), url);
    return {
      server,
      interleave: (names, model, calls) =>
        page.evaluate(([a, b, c]) => bench.interleave(a, b, c), [names, model, calls] as const),
      batching: (names, model, rounds) =>
        page.evaluate(([a, b, c]) => bench.batching(a, b, c), [names, model, rounds] as const),
      async start(name, model) {
        const context = await launched.newContext();
        const visit = async (): Promise<number> => {
          const visited = await openPage(context, url);
          const elapsedMs = await visited.evaluate(([a, b]) => bench.start(a, b), [name, model] as const);
          await visited.close();
          return elapsedMs;
        };
        const [coldMs, cachedMs] = [await visit(), await visit()];
        await context.close();
        return { coldMs, cachedMs };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => "bench" in globalThis);
  return page;
}

async function buildPage(outDir: string): Promise<void> {
  await build({
    configFile: false,
    root: PAGE,
    logLevel: "error",
    resolve: { conditions: ["@tributary/source", ...defaultClientConditions] },
    worker: { format: "es" },
    build: { outDir, emptyOutDir: true, target: "chrome113", reportCompressedSize: false },
  });
}
