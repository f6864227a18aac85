import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import type { Benchmark } from "../src/bench/benchmark.ts";
import { quantile } from "../src/bench/quantile.ts";
import type { CourtesyBench } from "../src/courtesy-bench/page/main.ts";
import { MODEL, serveCourtesyPage, TASK } from "../src/courtesy-bench/serve-page.ts";
import { launchChromium } from "../src/demo-page.ts";

declare const courtesy: CourtesyBench;

const BOUND_MS = 4;
const EXAMPLES = 1280;
/** More than a window has time for. */
const EPOCHS = 100;

/** Idle and training by turns in one page: what else the machine does meets both alike. */
const courtesyBench: Benchmark = {
  name: "courtesy",
  summary: "What a page's frames lose while its worker trains the demo's CNN, in a real Chromium.",
  usage: "[--pairs 10] [--window-ms 4000]",
  async run({ args, log }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        pairs: { type: "string", default: "10" },
        "window-ms": { type: "string", default: "4000" },
      },
    });
    const [pairs, windowMs] = [Number(values.pairs), Number(values["window-ms"])];
    if (!(Number.isSafeInteger(pairs) && pairs >= 1))
      throw new Error(`--pairs: at least 1, got ${values.pairs}`);
    if (!(windowMs >= 500)) throw new Error(`--window-ms: at least 500, got ${values["window-ms"]}`);
    const loadAtStart = loadavg()[0]!;
    const site = await serveCourtesyPage(EPOCHS);
    const browser = await launchChromium();
    try {
      const page = await browser.newPage();
      page.on("pageerror", (error) => log(String(error)));
      await page.goto(site.url);
      await page.waitForFunction(() => "courtesy" in globalThis);
      await page.evaluate((options) => courtesy.open(options), {
        model: MODEL,
        task: TASK,
        examples: EXAMPLES,
      });
      const [idle, training]: [number[], number[]] = [[], []];
      const addedByPair: number[] = [];
      for (let pair = 0; pair < pairs; pair++) {
        const quiet = await page.evaluate((ms) => courtesy.frames(ms), windowMs);
        await page.evaluate(() => courtesy.train());
        const busy = await page.evaluate((ms) => courtesy.frames(ms), windowMs);
        await page.evaluate(() => courtesy.rest());
        idle.push(...quiet);
        training.push(...busy);
        addedByPair.push(quantile(busy, 0.99) - quantile(quiet, 0.99));
        log(
          `pair ${pair + 1}: p99 ${quantile(quiet, 0.99).toFixed(1)} ms idle, ${quantile(busy, 0.99).toFixed(1)} ms training`,
        );
      }
      const diagnosis = await page.evaluate(() => courtesy.training());
      const figures = {
        frameDelayP99AddedMs: quantile(training, 0.99) - quantile(idle, 0.99),
        frameDelayP99AddedMedianOfPairsMs: quantile(addedByPair, 0.5),
        frameDelayP50AddedMs: quantile(training, 0.5) - quantile(idle, 0.5),
        frameP99IdleMs: quantile(idle, 0.99),
        frameP99TrainingMs: quantile(training, 0.99),
        trainingSteps: diagnosis?.steps ?? 0,
        stepMedianMs: diagnosis?.medianMs ?? Number.NaN,
        stepP95Ms: diagnosis?.p95Ms ?? Number.NaN,
        loadAtStart,
        loadAtEnd: loadavg()[0]!,
      };
      const isMet = figures.frameDelayP99AddedMs <= BOUND_MS;
      return {
        results: {
          pairs,
          windowMs,
          frames: { idle: idle.length, training: training.length },
          addedByPair,
          diagnosis,
        },
        figures,
        verdicts: [
          `${isMet ? "met" : "MISSED"}: frameDelayP99AddedMs ${figures.frameDelayP99AddedMs.toFixed(2)}, bound ${BOUND_MS}; load ${loadAtStart.toFixed(1)} when it began`,
        ],
      };
    } finally {
      await browser.close();
      await site.close();
    }
  },
};
export default courtesyBench;
