import { openContestant, type ContestantName } from "./contestant.ts";
import type { CaseInfo, Duration } from "./timed.ts";

/** Asks for one turn of a case: runs until `sliceMs` are over, at least one. */
export interface Turn {
  readonly index: number;
  readonly sliceMs: number;
}

export type Answer =
  | { readonly type: "ready"; readonly cases: readonly CaseInfo[] }
  | { readonly type: "turn"; readonly fewest: Duration; readonly peakRssBytes: number }
  | { readonly type: "failed"; readonly message: string };

const [name, models, batchSizes] = process.argv.slice(2) as [ContestantName, string, string];
const cases = await openContestant(name, models.split(","), batchSizes.split(",").map(Number));

async function takeTurn({ index, sliceMs }: Turn): Promise<Answer> {
  const one = cases[index]!;
  let [wallMs, cpuMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const until = performance.now() + sliceMs;
  do {
    const before = process.cpuUsage();
    const begin = performance.now();
    await one.run();
    wallMs = Math.min(wallMs, performance.now() - begin);
    const { user, system } = process.cpuUsage(before);
    cpuMs = Math.min(cpuMs, (user + system) / 1000);
  } while (performance.now() < until);
  return { type: "turn", fewest: { wallMs, cpuMs }, peakRssBytes: process.resourceUsage().maxRSS * 1024 };
}

const answer = (message: Answer): void => void process.send!(message);
process.on("message", (turn: Turn) => {
  takeTurn(turn).then(answer, (error: unknown) =>
    answer({ type: "failed", message: error instanceof Error ? error.message : String(error) }),
  );
});
// The benchmark is gone: so are we.
process.on("disconnect", () => process.exit());
answer({ type: "ready", cases: cases.map(({ info }) => info) });
