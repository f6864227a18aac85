import { asModelVersion, asRoundId, type DeviceId } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { expect, test } from "vitest";
import {
  initialBuffer,
  initialRound,
  roundEnded,
  stepBuffer,
  stepRound,
  type BufferState,
  type RoundConfig,
  type RoundEffect,
  type RoundInput,
  type RoundState,
} from "../src/index.ts";
import { claim, device, roundConfig, START } from "./fixtures.ts";

const FAST = 12;
const SLOW = 4;
const FAST_MS = 2_000;
const SLOW_MS = 60_000;
const DURATION_MS = 300_000;
const EVERYBODY = FAST + SLOW;
const IDS: readonly DeviceId[] = Array.from({ length: EVERYBODY }, (_, i) => device(i));
const CLAIMS = IDS.map((_, i) => claim(i));
const INDEX = new Map(IDS.map((id, i) => [id, i]));
const indexOf = (id: DeviceId): number => INDEX.get(id)!;
const trainsFor = (who: number): number => (who < FAST ? FAST_MS : SLOW_MS);

interface Result {
  readonly versions: number;
  /** Slow devices' updates that are in a version or wait for one. */
  readonly slowUpdates: number;
}

/** The machines under a virtual clock, devices that train for as long as they need and report at once. */
function play(buffered: boolean): Result {
  const clock = createVirtualClock({ startMs: START });
  const rules = { bufferSize: 8, maxStaleness: 50 };
  let buffer: BufferState = initialBuffer(rules, asModelVersion(1));
  let head = 1;
  let slowUpdates = 0;
  let number = 0;
  const live = new Map<string, { config: RoundConfig; state: RoundState; summed: number[] }>();
  /** When a device's training under way ends, for which base, and in which round it counts. */
  const training = new Map<number, { readonly base: number; round: string }>();

  const open = (base: number): string => {
    const config = roundConfig({
      roundId: asRoundId(`digits-${++number}`),
      round: number,
      baseVersion: asModelVersion(base),
      // Synchronous rounds wait for everybody they asked, as far as the deadline lets them.
      goalCount: buffered ? 4 : EVERYBODY,
      minimumCount: 2,
      offerLimit: EVERYBODY,
      trainDeadlineMs: 120_000,
      ...(buffered ? { buffered: true as const } : {}),
    });
    live.set(config.roundId, { config, state: initialRound(config), summed: [] });
    give(config.roundId, { type: "start" });
    return config.roundId;
  };
  const headRound = (): string => {
    for (const [id, { config, state }] of live)
      if (config.baseVersion === head && (state.phase === "selecting" || state.phase === "training"))
        return id;
    return open(head);
  };
  const checkIn = (who: number, round = headRound()): void =>
    give(round, { type: "check-in", device: IDS[who]!, examples: 10 });
  const advance = (): void => {
    head += 1;
    for (const [id, { config }] of live)
      if (buffered && config.baseVersion < head) give(id, { type: "close" });
  };
  const give = (
    id: string,
    input: Omit<RoundInput, "now"> & { type: string } & Record<string, unknown>,
  ): void => {
    const run = live.get(id);
    if (run === undefined) return;
    const step = stepRound(run.config, run.state, { ...input, now: clock.now() } as RoundInput);
    run.state = step.state;
    for (const effect of step.effects) perform(id, effect);
    if (roundEnded(run.state)) live.delete(id);
  };
  const perform = (id: string, effect: RoundEffect): void => {
    const run = live.get(id)!;
    if (effect.type === "wake-at") {
      clock.schedule(Math.max(0, effect.at - clock.now()), () => give(id, { type: "tick" }));
    } else if (effect.type === "accumulate") run.summed.push(indexOf(effect.device));
    else if (effect.type === "carry") {
      const next = open(run.config.baseVersion);
      for (const each of effect.devices) checkIn(indexOf(each), next);
      if (run.config.baseVersion < head) give(next, { type: "close" });
    } else if (effect.type === "aggregate") clock.schedule(0, () => sum(id));
    else if (effect.type === "send") hear(id, indexOf(effect.device), effect.message.type);
  };
  const hear = (id: string, who: number, message: string): void => {
    const run = live.get(id)!;
    if (message === "offer") {
      const base = run.config.baseVersion;
      const underWay = training.get(who);
      if (underWay?.base === base) return void (underWay.round = id);
      const work = { base, round: id };
      training.set(who, work);
      clock.schedule(trainsFor(who), () => {
        if (training.get(who) !== work) return;
        training.delete(who);
        give(work.round, { type: "ready", device: IDS[who]!, ...CLAIMS[who]! });
      });
    } else if (message === "request-report") {
      clock.schedule(10, () =>
        give(id, { type: "report-accepted", device: IDS[who]!, digest: CLAIMS[who]!.updateDigest }),
      );
    } else if (message === "outcome") {
      training.delete(who);
      clock.schedule(10, () => checkIn(who));
    }
  };
  const sum = (id: string): void => {
    const { config, summed } = live.get(id)!;
    slowUpdates += summed.filter((who) => who >= FAST).length;
    if (!buffered) {
      give(id, { type: "aggregated" });
      advance();
      return give(id, { type: "committed", version: asModelVersion(head) });
    }
    give(id, { type: "buffered" });
    const { roundId, baseVersion } = config;
    const entered = stepBuffer(rules, buffer, {
      type: "cohort",
      cohort: { roundId, baseVersion, updates: summed.length },
    });
    buffer = entered.state;
    if (!entered.effects.some(({ type }) => type === "commit")) return;
    buffer = stepBuffer(rules, buffer, { type: "committed", version: asModelVersion(head + 1) }).state;
    advance();
  };

  for (let who = 0; who < EVERYBODY; who++) checkIn(who);
  clock.advance(DURATION_MS);
  return { versions: head - 1, slowUpdates };
}

test("slow devices hold up every synchronous round, and no version of a buffered task, whose sums they are still in", () => {
  const synchronous = play(false);
  const buffered = play(true);
  // A round takes as long as its slowest device.
  expect(synchronous.versions).toBe(Math.floor(DURATION_MS / (SLOW_MS + 20)));
  // Twelve fast devices fill a buffer of eight at least once in two of their trainings.
  expect(buffered.versions).toBeGreaterThan(DURATION_MS / (2 * FAST_MS) / 1.5);
  expect(buffered.versions).toBeGreaterThan(10 * synchronous.versions);
  expect(buffered.slowUpdates).toBeGreaterThanOrEqual(SLOW * (Math.floor(DURATION_MS / SLOW_MS) - 1));
});
