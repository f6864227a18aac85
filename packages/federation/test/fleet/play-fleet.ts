import { createVirtualClock } from "@tributary/core/testing";
import { encodeServerMessage } from "@tributary/protocol";
import { initialRound, roundEnded, stepRound, type RoundState } from "../../src/index.ts";
import { START } from "../fixtures.ts";
import { FleetCoordinator, type RoundLog } from "./fleet-coordinator.ts";
import { FleetDevice } from "./fleet-device.ts";
import { CALM, storyOf } from "./story.ts";

const STORM_MS = 100_000;
/** After the storm, a round has to come to a version within so many of its longest possible lives. */
const CALM_ROUNDS = 4;

export interface PlayedFleet {
  readonly secure: boolean;
  readonly committed: number;
  readonly abandoned: number;
  readonly crashes: number;
  readonly resumed: number;
}

/** Plays one fleet from its seed, in virtual time. @throws Error when anything is not as it has to be */
export function playFleet(seed: number): PlayedFleet {
  const story = storyOf(seed);
  const clock = createVirtualClock({ startMs: START });
  const devices = new Map<string, FleetDevice>();
  const coordinator = new FleetCoordinator(story, clock, {
    send: (device, message) => devices.get(device)?.deliver(encodeServerMessage(message)),
    hangUp: () => devices.forEach((device) => device.hungUp()),
  });
  for (let index = 0; index < story.devices; index++) {
    const random = story.random.fork(`device ${index}`);
    const lies = index < story.liars;
    const device = new FleetDevice({ index, lies, weather: story.weather, clock, random, coordinator });
    devices.set(device.id, device);
  }
  coordinator.begin();
  for (const device of devices.values()) device.start();
  clock.advance(STORM_MS);

  coordinator.weather = CALM;
  for (const device of devices.values()) Object.assign(device, { weather: CALM, lies: false }).reconnect();
  const before = coordinator.versions.length;
  const calmMs = story.weather.maxDowntimeMs + CALM_ROUNDS * longestLifeMs(coordinator.logs[0]!);
  for (let ms = 0; ms < calmMs && coordinator.versions.length === before; ms += 5_000) clock.advance(5_000);
  require(coordinator.versions.length > before, "no round came to a version after the storm");

  for (const log of coordinator.logs) checkRound(log);
  checkVersions(coordinator);
  const ended = coordinator.logs.filter(({ state }) => roundEnded(state));
  return {
    secure: story.rules.secure !== null,
    committed: coordinator.versions.length,
    abandoned: ended.length - coordinator.versions.length,
    crashes: coordinator.crashes,
    resumed: coordinator.logs.filter(({ inputs }) => inputs.some(({ type }) => type === "resumed")).length,
  };
}

function longestLifeMs({ config: { trainDeadlineMs, reportDeadlineMs, secure } }: RoundLog): number {
  // Each step is opened within 200 ms.
  const reportingMs = secure === null ? reportDeadlineMs : 5 * (secure.stepDeadlineMs + 200);
  return trainDeadlineMs + reportingMs + 3_000;
}

function checkRound(log: RoundLog): void {
  const { config, inputs, state, summed, trainingAt, endedAt, excusedMs } = log;
  const { counts } = state;
  let replayed = initialRound(config);
  for (const input of inputs) replayed = stepRound(config, replayed, input).state;
  require(bytesOf(replayed) === bytesOf(state) || !roundEnded(state), "the journal replays to another state");
  if (!roundEnded(state)) return;

  require(endedAt !== null && log.written <= inputs.length, "it ended, but not at any time");
  const openMs = endedAt! - (trainingAt ?? endedAt!);
  require(openMs <= longestLifeMs(log) + excusedMs, `it took ${openMs} ms`);
  require(counts.reported + counts.dropouts + counts.refused <= counts.cohort ||
    config.secure !== null, "it counts a member twice");
  if (state.phase === "abandoned")
    return require(state.code !== undefined && summed.length === 0, "abandoned without a reason");
  require(new Set(summed).size === summed.length, "an update is in the sum twice");
  require(summed.length >= config.minimumCount, `a sum of ${summed.length}`);
  if (config.secure === null)
    require(summed.length === counts.reported, `${counts.reported} reported, ${summed.length} summed`);
}

function checkVersions({ versions, logs }: FleetCoordinator): void {
  versions.forEach(({ version }, i) => require(version === i + 2, `version ${version} is the ${i + 1}st`));
  require(new Set(versions.map(({ round }) => round)).size === versions.length, "two versions of one round");
  for (const { round } of versions)
    require(logs[round - 1]?.state.phase === "committed", `round ${round} made a version it does not know`);
  const committed = logs.filter(({ state }) => state.phase === "committed").length;
  require(committed === versions.length, `${committed} rounds committed, ${versions.length} versions`);
}

/** A state as bytes: what is equal, and nothing else, gives the same. */
function bytesOf(state: RoundState): string {
  return JSON.stringify({ ...state, participants: [...state.participants] }, (_, value: unknown) =>
    value instanceof Set ? [...value] : value,
  );
}

function require(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}
