import { seededRandom, type SeededRandom } from "@tributary/core";
import type { RoundConfig } from "../../src/index.ts";
import { roundConfig } from "../fixtures.ts";

/** How bad it is; probabilities of 0 to 1, `…PerSecond` as a rate. */
export interface Weather {
  readonly dropFrame: number;
  readonly duplicateFrame: number;
  /** Frames overtake each other. */
  readonly maxLatencyMs: number;
  readonly disconnectPerSecond: number;
  readonly trainFails: number;
  /** Training takes longer than any deadline. */
  readonly slow: number;
  readonly uploadFails: number;
  /** The upload counted, but its answer was lost. */
  readonly answerLost: number;
  readonly refusesUpdate: number;
  /** At each input of the coordinator. */
  readonly crash: number;
  readonly maxDowntimeMs: number;
  /** Of a lying device, at each frame it sends. */
  readonly lie: number;
}

export const CALM: Weather = {
  dropFrame: 0,
  duplicateFrame: 0,
  maxLatencyMs: 50,
  disconnectPerSecond: 0,
  trainFails: 0,
  slow: 0,
  uploadFails: 0,
  answerLost: 0,
  refusesUpdate: 0,
  crash: 0,
  maxDowntimeMs: 0,
  lie: 0,
};

/** Everything that a seed decides before the first event. */
export interface Story {
  readonly random: SeededRandom;
  readonly devices: number;
  /** The first so many of them lie. */
  readonly liars: number;
  readonly weather: Weather;
  readonly rules: Pick<
    RoundConfig,
    | "goalCount"
    | "minimumCount"
    | "offerLimit"
    | "trainDeadlineMs"
    | "reportDeadlineMs"
    | "reconnectGraceMs"
    | "secure"
  >;
}

/** A fleet of 3 to 40 devices with rules and weather of its own. */
export function storyOf(seed: number): Story {
  const random = seededRandom(`fleet ${seed}`);
  const between = (low: number, high: number): number => low + random.integer(high - low + 1);
  // Some fleets meet everything, some little.
  const severity = random.next();
  const upTo = (most: number): number => (random.next() < 0.3 ? 0 : most * severity * random.next());
  const secure = random.next() < 0.4;
  const devices = between(3, 40);
  const minimumCount = between(secure ? 3 : 1, Math.max(secure ? 3 : 1, Math.floor(devices / 2)));
  const goalCount = between(minimumCount, devices);
  const reportDeadlineMs = between(3_000, 20_000);
  return {
    random,
    devices,
    liars: Math.min(between(0, 4), devices - minimumCount),
    weather: {
      dropFrame: upTo(0.3),
      duplicateFrame: upTo(0.3),
      maxLatencyMs: 1 + Math.floor(upTo(3_000)),
      disconnectPerSecond: upTo(0.1),
      trainFails: upTo(0.3),
      slow: upTo(0.3),
      uploadFails: upTo(0.5),
      answerLost: upTo(0.3),
      refusesUpdate: upTo(0.1),
      crash: upTo(0.02),
      maxDowntimeMs: random.next() < 0.8 ? 8_000 : 90_000,
      lie: upTo(0.5),
    },
    rules: {
      minimumCount,
      goalCount,
      offerLimit: Math.ceil(goalCount * (1 + random.next())),
      trainDeadlineMs: between(10_000, 60_000),
      reportDeadlineMs,
      reconnectGraceMs: Math.min(5_000, Math.ceil(reportDeadlineMs / 4)),
      secure: secure ? { stepDeadlineMs: between(2_000, 8_000) } : null,
    },
  };
}

export function configOf({ rules }: Story, round: number, roundId: RoundConfig["roundId"]): RoundConfig {
  return roundConfig({ ...rules, round, roundId });
}
