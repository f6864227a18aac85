import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { ContestantName } from "./contestant.ts";
import type { Answer, Turn } from "./contestant-process.ts";
import type { CaseInfo, Duration } from "./timed.ts";

/** A case of a contestant, and the best it did so far. */
export interface Entry {
  readonly info: CaseInfo;
  readonly fewest: Duration | undefined;
  /** Why it can't run. */
  readonly failed: string | undefined;
}

export interface RunningContestant {
  readonly name: ContestantName;
  readonly entries: readonly Entry[];
  readonly peakRssBytes: number;
  /** One turn of a case; a case that failed is left out. */
  turn(index: number, sliceMs: number): Promise<void>;
  stop(): void;
}

const PROGRAM = fileURLToPath(new URL("./contestant-process.ts", import.meta.url));

export async function startContestant(
  name: ContestantName,
  models: readonly string[],
  batchSizes: readonly number[],
): Promise<RunningContestant> {
  const child = fork(PROGRAM, [name, models.join(","), batchSizes.join(",")]);
  const gone = once(child, "exit").then(([code]) => {
    throw new Error(`${name} ended with ${code}`);
  });
  gone.catch(() => undefined); // also when it is stopped at the end
  const next = async (): Promise<Answer> => (await Promise.race([once(child, "message"), gone]))[0] as Answer;
  const ready = await next();
  if (ready.type !== "ready") throw new Error(`${name} did not start`);
  const entries = ready.cases.map((info): Entry => ({ info, fewest: undefined, failed: undefined }));
  let peakRssBytes = 0;
  return {
    name,
    entries,
    get peakRssBytes() {
      return peakRssBytes;
    },
    async turn(index, sliceMs) {
      const { info, fewest, failed } = entries[index]!;
      if (failed !== undefined) return;
      child.send({ index, sliceMs } satisfies Turn);
      const answer = await next();
      if (answer.type === "failed") entries[index] = { info, fewest, failed: answer.message };
      if (answer.type !== "turn") return;
      peakRssBytes = answer.peakRssBytes;
      entries[index] = { info, failed, fewest: fewer(fewest, answer.fewest) };
    },
    stop: () => void child.kill(),
  };
}

function fewer(before: Duration | undefined, now: Duration): Duration {
  if (before === undefined) return now;
  return { wallMs: Math.min(before.wallMs, now.wallMs), cpuMs: Math.min(before.cpuMs, now.cpuMs) };
}
