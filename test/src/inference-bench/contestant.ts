import { seededRandom } from "@tributary/core";

/** Somebody who runs the same models, asked in turn with the others. */
export interface Contestant {
  readonly name: string;
  open(model: string): Promise<OpenedModel>;
}

export interface OpenedModel {
  /** One call with one row; resolves when the outputs are in the caller's hands. */
  run(): Promise<Timing>;
  /** One call with so many rows, all in one tensor. */
  runRows?(rows: number): Promise<Timing>;
  /** What the model says of one row: all have to say the same. */
  scores(): Promise<ArrayLike<number>>;
  close(): Promise<void>;
}

/** Of one call, in milliseconds. */
export interface Timing {
  readonly latencyMs: number;
  /** Time in which the caller's thread could do nothing else. */
  readonly blockMs: number;
}

/** A model as the contestants are told of it. */
export interface ModelInfo {
  readonly name: string;
  readonly input: string;
  /** Of one row: without the batch. */
  readonly shape: readonly number[];
}

export interface CallTimes {
  readonly latencyMs: number[];
  readonly blockMs: number[];
}

export type Times = Readonly<Record<string, CallTimes>>;

/** Calls that warm everything up, and are not counted. */
const WARM_UP = 20;

/**
 * Each contestant has its turn in every round, so that what else the machine does meets all alike; in an order drawn anew, because
 * whoever comes before leaves its data in the caches.
 */
export async function interleave(
  contestants: readonly Contestant[],
  model: string,
  calls: number,
): Promise<Times> {
  const opened = await openAll(contestants, model);
  const random = seededRandom("order");
  const times = Object.fromEntries(
    opened.map(({ name }): [string, CallTimes] => [name, { latencyMs: [], blockMs: [] }]),
  );
  for (let call = -WARM_UP; call < calls; call++) {
    for (const { name, handle } of random.shuffle(opened)) {
      const { latencyMs, blockMs } = await handle.run();
      if (call < 0) continue;
      times[name]!.latencyMs.push(latencyMs);
      times[name]!.blockMs.push(blockMs);
    }
  }
  for (const { handle } of opened) await handle.close();
  return times;
}

export interface BatchTimes {
  /** Of one round of 32 calls, in milliseconds. */
  readonly oneByOneMs: number[];
  readonly togetherMs: number[];
  /** Of one call with 32 rows; empty where it was not asked for. */
  readonly oneCallMs: number[];
}

/** 32 calls, each awaiting the one before, against 32 that are made at once, and one of 32 rows. */
export async function batching(
  contestants: readonly Contestant[],
  model: string,
  rounds: number,
): Promise<Readonly<Record<string, BatchTimes>>> {
  const opened = await openAll(contestants, model);
  const times = Object.fromEntries(
    opened.map(({ name }): [string, BatchTimes] => [name, { oneByOneMs: [], togetherMs: [], oneCallMs: [] }]),
  );
  for (let round = -3; round < rounds; round++) {
    for (const { name, handle } of opened) {
      const oneByOneMs = await timed(async () => {
        for (let i = 0; i < 32; i++) await handle.run();
      });
      const togetherMs = await timed(() => Promise.all(Array.from({ length: 32 }, () => handle.run())));
      const oneCallMs = handle.runRows === undefined ? undefined : (await handle.runRows(32)).latencyMs;
      if (round < 0) continue;
      times[name]!.oneByOneMs.push(oneByOneMs);
      times[name]!.togetherMs.push(togetherMs);
      if (oneCallMs !== undefined) times[name]!.oneCallMs.push(oneCallMs);
    }
  }
  for (const { handle } of opened) await handle.close();
  return times;
}

async function openAll(contestants: readonly Contestant[], model: string) {
  const opened: { readonly name: string; readonly handle: OpenedModel }[] = [];
  for (const each of contestants) opened.push({ name: each.name, handle: await each.open(model) });
  await requireAgreement(opened, model);
  return opened;
}

/** Devices run int8 weights, which is why they agree no closer. */
const TOLERANCE = 0.1;

async function requireAgreement(
  [first, ...others]: readonly { readonly name: string; readonly handle: OpenedModel }[],
  model: string,
): Promise<void> {
  const expected = Array.from((await first?.handle.scores()) ?? []);
  const scale = Math.max(...expected.map(Math.abs));
  for (const { name, handle } of others) {
    const got = await handle.scores();
    const error = Math.max(...expected.map((score, i) => Math.abs(score - (got[i] ?? Number.NaN)))) / scale;
    if (!(error <= TOLERANCE)) throw new Error(`${name} and ${first!.name} disagree on ${model}: ${error}`);
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

/** Pixels, or what else a model reads: the same for all. */
export function inputValues({ shape }: ModelInfo, rows = 1): Float32Array<ArrayBuffer> {
  const size = shape.reduce((product, each) => product * each, 1);
  return Float32Array.from({ length: rows * size }, (_, i) => ((i * 31) % 255) / 255);
}
