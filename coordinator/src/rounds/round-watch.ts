import { mayStillBegin } from "@tributary/federation";
import type { TaskRecord } from "../ports/task-records.ts";
import type { RoundRun } from "./round-run.ts";
import type { RoundServices } from "./round-services.ts";

/** Looks at the clock at least so often while something waits: someone may set it. */
export const LOOK_MS = 60_000;

interface Watch {
  cancel(): void;
}

/** What ends a round that waits for its devices too long. */
export function watchSelection(
  services: Pick<RoundServices, "env">,
  run: RoundRun,
  task: () => TaskRecord,
): Watch {
  const watches = [watchSchedule(services, run, task), boundGate(services, run)];
  return {
    cancel() {
      for (const watch of watches) watch?.cancel();
    },
  };
}

/** Training does not wait for held-out devices longer than they may take: too few of them decide nothing. */
function boundGate({ env }: Pick<RoundServices, "env">, run: RoundRun): Watch | undefined {
  const { measurement, trainDeadlineMs } = run.config;
  if (measurement?.purpose !== "gate") return undefined;
  return env.clock.schedule(trainDeadlineMs, () => {
    if (run.state.phase === "selecting") run.give({ type: "abandon", code: "round/too-few-ready" });
  });
}

/** A round that still waits for its devices when the schedule closes, or the task is done, does not begin. */
function watchSchedule(
  { env: { clock, log } }: Pick<RoundServices, "env">,
  run: RoundRun,
  task: () => TaskRecord,
): Watch {
  let timer: Watch | undefined;
  const look = (): void => {
    if (run.state.phase !== "selecting") return;
    const now = clock.now();
    const begin = mayStillBegin(task(), now);
    if (!begin.may) {
      run
        .abandon("round/outside-schedule")
        .catch((error: unknown) => log.error("round could not be ended", { error }));
    } else if (begin.until !== null) {
      timer = clock.schedule(Math.min(LOOK_MS, Math.max(1, begin.until - now)), look);
    }
  };
  look();
  return { cancel: () => timer?.cancel() };
}
