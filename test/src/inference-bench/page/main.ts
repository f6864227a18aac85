/** What the benchmark asks the page to do, on `window.bench`. */
import type { Contestant, ModelInfo } from "../contestant.ts";
import { batching, interleave } from "../contestant.ts";
import { watchWorkers } from "./main-thread.ts";
import { openRuntime, ours } from "./ours.ts";
import { rawInWorker } from "./raw-in-worker.ts";

watchWorkers();

const loaded = fetch("/models.json").then((answer) => answer.json() as Promise<readonly ModelInfo[]>);

async function contestants(names: readonly string[]): Promise<Contestant[]> {
  const models = await loaded;
  const all: Contestant[] = [];
  if (names.includes("rawPage")) all.push((await import("./raw-page.ts")).rawInPage(models));
  if (names.includes("rawWorker")) all.push(rawInWorker(models));
  if (names.includes("tfjsPage")) all.push(await (await import("./tfjs.ts")).tfjsInPage(models));
  if (names.includes("transformersPage")) {
    all.push((await import("./transformers.ts")).transformersInPage(models));
  }
  if (names.includes("ours")) all.push(ours(await openRuntime(), models));
  return all;
}

const bench = {
  interleave: async (names: readonly string[], model: string, calls: number) =>
    interleave(await opened(names), model, calls),
  batching: async (names: readonly string[], model: string, rounds: number) =>
    batching(await opened(names), model, rounds),
  /** From nothing to the first answer of a contestant. */
  async start(name: string, model: string): Promise<number> {
    const models = await loaded;
    const begin = performance.now();
    const [contestant] = await contestants([name]);
    const handle = await contestant!.open(models.find((each) => each.name === model)!.name);
    await handle.run();
    return performance.now() - begin;
  },
};
export type Bench = typeof bench;

const kept = new Map<string, Promise<Contestant[]>>();

/** Each contestant is opened once a page. */
async function opened(names: readonly string[]): Promise<Contestant[]> {
  const all: Contestant[] = [];
  for (const name of names) {
    if (!kept.has(name)) kept.set(name, contestants([name]));
    all.push(...(await kept.get(name)!));
  }
  return all;
}

Object.assign(globalThis, { bench });
