import type { DeviceId } from "@tributary/core";
import type { RoundConfig } from "@tributary/federation";
import type { BufferedMode } from "@tributary/protocol";
import type { TaskRecord } from "../../ports/task-records.ts";
import { nextRoundNumber } from "../../registry/next-number.ts";
import { strategyOf } from "@tributary/federation/planning";
import { resumeOrAbandon, type InterruptedRound } from "../interrupted-round.ts";
import { roundConfig } from "../round-config.ts";
import { trainingRoundOf } from "../training-round.ts";
import type { RoundRunCommon, TrainingWork } from "../round-run-options.ts";
import { RoundRun } from "../round-run.ts";
import type { RoundServices, Workers } from "../round-services.ts";
import type { CohortBase } from "./cohort-base.ts";

/** What a cohort runs with, whoever began it. */
export interface CohortInput {
  readonly task: TaskRecord;
  readonly base: CohortBase;
  readonly uploadFolder: string;
  readonly send: RoundServices["send"];
  readonly seatsChanged: () => void;
  readonly offered: (device: DeviceId, round: number) => void;
  /** Seats devices of a cohort that was formed in another one on its base. */
  readonly carry: (from: RoundRun, devices: readonly DeviceId[]) => void;
}

export interface OpenCohortInput extends CohortInput {
  readonly mode: BufferedMode;
  /** Devices that may come, estimated. */
  readonly population: number;
}

export function takesDevices({ state }: RoundRun): boolean {
  return state.phase === "selecting" || state.phase === "training";
}

/** Whatever happened while a round was being set up found no round to end. */
export function stopsAtOnce(run: RoundRun, task: TaskRecord, stopped: boolean): void {
  if (stopped) run.give({ type: "abandon", code: "round/interrupted" });
  else if (task.state !== "running") run.give({ type: "abandon", code: "round/task-paused" });
}

/** A cohort of a buffer: a round that takes the task's next number. */
export async function openCohort(
  services: RoundServices & Workers,
  input: OpenCohortInput,
): Promise<RoundRun> {
  const { task, base, mode, population } = input;
  const round = await nextRoundNumber(services.store, task.name);
  const { plan, version, timestampVersion } = base;
  const config: RoundConfig = {
    ...roundConfig({
      task,
      secure: plan.secure,
      base: version,
      round,
      trainingRound: await trainingRoundOf(services, task, version),
      timestampVersion,
      population,
    }),
    offerLimit: mode.concurrency,
    buffered: true,
  };
  const run: RoundRun = await RoundRun.begin({
    ...runOptions(services, input, config),
    carry: (devices) => input.carry(run, devices),
  });
  return run;
}

/** A cohort that an earlier process began; undefined where its updates are not all there: it is abandoned. */
export async function resumeCohort(
  services: RoundServices & Workers,
  input: CohortInput,
  { config, past }: Pick<InterruptedRound, "config" | "past">,
): Promise<RoundRun | undefined> {
  const run: RoundRun | undefined = await resumeOrAbandon(
    services,
    {
      ...runOptions(services, input, config),
      // Its devices come back after this.
      carry: (devices) => input.carry(run!, devices),
    },
    past,
  );
  return run;
}

function runOptions(
  services: RoundServices & Workers,
  { task, base: { plan, model, version }, uploadFolder, send, seatsChanged, offered }: CohortInput,
  config: RoundConfig,
): RoundRunCommon & TrainingWork {
  return {
    services: { ...services, send },
    config,
    plan,
    strategy: strategyOf(services.strategies, task.spec),
    task,
    model,
    base: version,
    uploadFolder,
    offered: (device) => offered(device, config.round),
    seatsChanged,
    // Whoever follows it hears of its end when its row is stored.
    over: () => {},
  };
}
