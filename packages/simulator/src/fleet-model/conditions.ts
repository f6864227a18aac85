import type { SeededRandom } from "@tributary/core";
import type { DeviceConditions } from "@tributary/federation";
import type { FleetModel } from "./fleet-model.ts";

/** Shares of a population by name: of languages they add up to at most 1, tags are given independently of each other. */
export type Shares = Readonly<Record<string, number>>;

/** What apps and people give devices. */
export interface DeviceLabels {
  /** BCP 47 tags. What is left of 1 speaks none of them. */
  readonly languages: Shares;
  readonly tags: Shares;
}

/** A device's conditions at a moment, and until when they stay so. */
export interface ConditionsAt {
  readonly conditions: DeviceConditions;
  /** Milliseconds since the epoch. */
  readonly untilMs: number;
}

const HOUR_MS = 3_600_000;
/** What browsers tell of memory: powers of two, from a quarter of a gigabyte to eight (Device Memory, W3C). */
const [LEAST_MEMORY_MB, MOST_MEMORY_MB] = [256, 8192];

/**
 * What a device knows of itself. Engines, memory, languages and tags are its own for good; whether it is being charged, how full
 * its battery is and its network are drawn for every hour. Nothing is remembered.
 *
 * @param randomOf the device's own stream for what is asked
 */
export function conditionsAt(
  model: FleetModel,
  { languages, tags }: DeviceLabels,
  randomOf: (what: string) => SeededRandom,
  nowMs: number,
): ConditionsAt {
  const own = randomOf("conditions");
  const [kind, untold, battery, language] = [own.next(), own.next(), own.next(), own.next()];
  const isNode = kind < model.nodeShare;
  const hasGpu = !isNode && kind < model.nodeShare + (1 - model.nodeShare) * model.webgpuShare;
  const memoryMb = model.memoryMb * Math.exp(model.memorySigma * own.normal());
  const hour = Math.floor(nowMs / HOUR_MS);
  const now = randomOf(`hour ${hour}`);
  const [charging, level, unmetered] = [now.next() < model.chargingShare, now.next(), now.next()];
  // Browsers that tell nothing of these.
  const tells = untold >= model.untoldShare;
  return {
    conditions: {
      engines: isNode ? ["ort-node", "ort-wasm"] : hasGpu ? ["ort-webgpu", "ort-wasm"] : ["ort-wasm"],
      memoryMb: !tells ? null : isNode ? Math.round(memoryMb) : asBrowsersTell(memoryMb),
      battery: !tells ? null : battery < model.batteryShare ? { charging, level } : "none",
      network: !tells ? null : unmetered < model.unmeteredShare ? "unmetered" : "metered",
      durableStorage: isNode,
      languages: drawn(languages, language),
      tags: Object.entries(tags).flatMap(([tag, share]) =>
        randomOf(`tag ${tag}`).next() < share ? [tag] : [],
      ),
    },
    untilMs: (hour + 1) * HOUR_MS,
  };
}

function asBrowsersTell(memoryMb: number): number {
  return Math.min(MOST_MEMORY_MB, Math.max(LEAST_MEMORY_MB, 2 ** Math.round(Math.log2(memoryMb))));
}

function drawn(shares: Shares, at: number): readonly string[] {
  let passed = 0;
  for (const [name, share] of Object.entries(shares)) {
    passed += share;
    if (at < passed) return [name];
  }
  return [];
}
