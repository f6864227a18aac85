import type { MeasurementView, RoundView, TaskView, VersionView } from "@tributary/api-client";

/** What a tracker of experiments is told of a task, wherever it is read: from the store, or over HTTP. */
export interface RunSource {
  tasks(): Promise<readonly string[]>;
  /** Undefined: there is none of that name. */
  task(name: string): Promise<TaskView | undefined>;
  /** Newest first; `before` is a round number (exclusive). */
  rounds(
    task: string,
    page: { readonly limit: number; readonly before?: number },
  ): Promise<readonly RoundView[]>;
  /** Newest first. */
  measurements(task: string, page: { readonly limit: number }): Promise<readonly MeasurementView[]>;
  version(model: string, version: number): Promise<VersionView | undefined>;
}

const PAGE = 200;

/**
 * Rounds of which nothing changes any more, in their order, from the one after this number on: up to the first that is still under way, or whose
 * sum waits in a buffer. So that a tracker which remembers the last one misses none.
 */
export async function* settledRounds(
  source: Pick<RunSource, "rounds">,
  task: string,
  after: number,
): AsyncGenerator<RoundView> {
  const [newest] = await source.rounds(task, { limit: 1 });
  for (let begin = after; begin < (newest?.number ?? 0); begin += PAGE) {
    const page = await source.rounds(task, { limit: PAGE, before: begin + PAGE + 1 });
    for (const round of page.filter(({ number }) => number > begin).toReversed()) {
      if (round.phase !== "committed" && round.phase !== "abandoned") return;
      yield round;
    }
  }
}
