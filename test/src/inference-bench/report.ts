import { quantile } from "../bench/quantile.ts";
import type { BatchTimes, CallTimes, Times } from "./contestant.ts";

type Figures = Readonly<Record<string, number>>;

/** What was measured on one platform: calls by model, and rounds of 32 calls of the demo's network. */
export interface Measured {
  readonly calls: Readonly<Record<string, Times>>;
  readonly batches: Readonly<Record<string, BatchTimes>>;
}

export interface Starts {
  readonly coldMs: readonly number[];
  readonly cachedMs: readonly number[];
}

interface Bound {
  readonly figure: string;
  readonly most?: number;
  readonly least?: number;
}

const BOUNDS: readonly Bound[] = [
  { figure: "overheadRatioOver5ms", most: 1.05 },
  { figure: "overheadMsUnder5ms", most: 0.25 },
  { figure: "batchingSpeedup32", least: 2 },
  { figure: "mainThreadBlockMs", most: 0.3 },
  { figure: "nodeOverheadRatioOver5ms", most: 1.05 },
  { figure: "nodeOverheadMsUnder5ms", most: 0.25 },
];

/** Models that take the reference this long and more are judged by a ratio, the others by a difference. */
const LONG_MS = 5;

/**
 * Figures of one platform, of medians.
 *
 * @param reference - the contestant that the overhead is counted from
 */
export function figuresOf(prefix: string, { calls, batches }: Measured, reference: string): Figures {
  const figures: Record<string, number> = {};
  const ratios: number[] = [];
  const differences: number[] = [];
  for (const [model, times] of Object.entries(calls)) {
    for (const [contestant, { latencyMs }] of Object.entries(times)) {
      figures[named(prefix, `${model}${capital(contestant)}Ms`)] = quantile(latencyMs, 0.5);
    }
    const [own, theirs] = [times["ours"], times[reference]];
    if (own === undefined || theirs === undefined) continue;
    const [ownMs, theirMs] = [quantile(own.latencyMs, 0.5), quantile(theirs.latencyMs, 0.5)];
    if (theirMs >= LONG_MS) ratios.push(ownMs / theirMs);
    else differences.push(ownMs - theirMs);
  }
  if (ratios.length > 0) figures[named(prefix, "overheadRatioOver5ms")] = Math.max(...ratios);
  if (differences.length > 0) figures[named(prefix, "overheadMsUnder5ms")] = Math.max(...differences);
  for (const [contestant, { oneByOneMs, togetherMs, oneCallMs }] of Object.entries(batches)) {
    const oneByOne = quantile(oneByOneMs, 0.5);
    const own = contestant === "ours";
    const speedup = own ? "batchingSpeedup32" : `${contestant}TogetherSpeedup32`;
    figures[named(prefix, speedup)] = oneByOne / quantile(togetherMs, 0.5);
    if (oneCallMs.length === 0) continue;
    const floor = own ? "oneCallSpeedup32" : `${contestant}OneCallSpeedup32`;
    figures[named(prefix, floor)] = oneByOne / quantile(oneCallMs, 0.5);
  }
  return figures;
}

/** The worst median of the models: time in which the page could do nothing else. */
export function mainThreadBlockMs({ calls }: Measured): number {
  const own = Object.values(calls).flatMap((times): CallTimes[] => {
    const mine = times["ours"];
    return mine === undefined ? [] : [mine];
  });
  return Math.max(...own.map(({ blockMs }) => quantile(blockMs, 0.5)));
}

export function startFigures(starts: Readonly<Record<string, Starts>>): Figures {
  return Object.fromEntries(
    Object.entries(starts).flatMap(([contestant, { coldMs, cachedMs }]) => {
      const prefix = contestant === "ours" ? "" : contestant;
      return [
        [named(prefix, "coldStartMs"), quantile(coldMs, 0.5)],
        [named(prefix, "cachedStartMs"), quantile(cachedMs, 0.5)],
      ];
    }),
  );
}

export function verdictsOf(figures: Figures): string[] {
  return BOUNDS.flatMap(({ figure, most = Infinity, least = -Infinity }) => {
    const value = figures[figure];
    if (value === undefined) return [];
    const bound = Number.isFinite(most) ? `at most ${most}` : `at least ${least}`;
    return [
      `${value <= most && value >= least ? "met" : "MISSED"}: ${figure} ${value.toFixed(3)} (${bound})`,
    ];
  });
}

function named(prefix: string, name: string): string {
  return prefix === "" ? name : prefix + capital(name);
}

function capital(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
