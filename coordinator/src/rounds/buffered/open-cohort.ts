import type { DeviceId } from "@tributary/core";
import type { BufferedMode } from "@tributary/protocol";
import type { TaskRecord } from "../../ports/records.ts";
import { nextRoundNumber } from "../../registry/next-number.ts";
import { strategyOf } from "@tributary/federation/planning";
import { roundConfig } from "../round-config.ts";
import { trainingRoundOf } from "../training-round.ts";
import { RoundRun } from "../round-run.ts";
import type { RoundServices, Workers } from "../round-services.ts";
import type { CohortBase } from "./cohort-base.ts";

export interface OpenCohortInput {
  readonly task: TaskRecord;
  readonly base: CohortBase;
  readonly mode: BufferedMode;
  readonly uploadFolder: string;
  readonly send: RoundServices["send"];
  readonly seatsChanged: () => void;
  /** Devices that may come, estimated. */
  readonly population: number;
  readonly offered: (device: DeviceId, round: number) => void;
  /** Seats devices of a cohort that was formed in another one on its base. */
  readonly carry: (from: RoundRun, devices: readonly DeviceId[]) => void;
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
  const { task, base, mode, uploadFolder, send, population, seatsChanged, offered, carry } = input;
  const round = await nextRoundNumber(services.store, task.name);
  const { plan, version, timestampVersion, model } = base;
  const run: RoundRun = await RoundRun.begin({
    services: { ...services, send },
    config: {
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
    },
    plan,
    strategy: strategyOf(services.strategies, task.spec),
    task,
    model,
    base: version,
    uploadFolder,
    offered: (device) => offered(device, round),
    seatsChanged,
    // Whoever follows it hears of its end when its row is stored.
    over: () => {},
    carry: (devices) => carry(run, devices),
  });
  return run;
}
