import { spawn, type ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { createApiClient, subscribeEvents, type RoundView, type VersionView } from "@tributary/api-client";
import { createRuntime } from "@tributary/runtime/node";
import type { Benchmark, BenchmarkContext } from "../src/bench/benchmark.ts";
import { quantile } from "../src/bench/quantile.ts";
import { peakMemoryOfRound } from "../src/bench/round-memory.ts";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { freePort } from "../src/free-port.ts";

const CLI = join(
  dirname(createRequire(import.meta.url).resolve("@tributary/cli/package.json")),
  "bin/tributary.mjs",
);
const ROUNDS = 60;
const WATCHERS = 8;

/** The loop as a newcomer starts it: `tributary start`, to 95 % on held-out digits. */
const loop: Benchmark = {
  name: "loop",
  summary:
    "The whole loop: `tributary start` with 24 devices, to 95 % accuracy; push latency; memory of a round.",
  async run(context) {
    const run = await measureStart(context);
    const few = await peakMemoryOfRound(10, context);
    const many = await peakMemoryOfRound(100, context);
    const figures = { ...run.figures, rssGrowth100over10: many / few };
    return {
      results: { curve: run.curve, peakRssBytes: { updates10: few, updates100: many } },
      figures,
      verdicts: [
        bound("secondsToFirstCommit", figures.secondsToFirstCommit, 20),
        bound("secondsTo95", figures.secondsTo95, 180),
        bound("pushP99Ms", figures.pushP99Ms, 2000),
        bound("rssGrowth100over10", figures.rssGrowth100over10, 1.15),
      ],
    };
  },
};
export default loop;

async function measureStart(context: BenchmarkContext) {
  const folder = temporaryFolder();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const args = [
    CLI,
    "start",
    "--port",
    String(port),
    "--demo-port",
    "0",
    "--data-dir",
    folder.path,
    "--rounds",
    String(ROUNDS),
  ];
  const started = Date.now();
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  let demo: string | undefined;
  child.stdout.on("data", (text: Buffer) => (demo ??= /demo\s+(http:\S+)\//.exec(text.toString())?.[1]));
  child.stderr.on("data", (text: Buffer) => context.log(text.toString().trimEnd()));
  try {
    await listening(url, child);
    const commits = new Map<number, number>();
    const curve: RoundView[] = [];
    const delays: number[] = [];
    let parameterCount = 0;
    let watchers: AsyncDisposable[] = [];
    const reached = Promise.withResolvers<void>();
    const subscription = subscribeEvents(url, {
      lastEventId: 0,
      onEvent: (event) => {
        if (event.type === "version") {
          const version = event.data as VersionView;
          commits.set(version.version, Date.parse(version.createdAt));
          parameterCount = version.parameterCount;
        }
        if (event.type !== "round" || event.data.phase !== "committed") return;
        curve.push(event.data);
        context.log(
          `round ${event.data.number}: accuracy ${event.data.accuracy?.toFixed(4)}, ${event.data.seconds?.toFixed(1)} s`,
        );
        if ((event.data.accuracy ?? 0) >= 0.95 || event.data.number >= ROUNDS) reached.resolve();
      },
    });
    child.once("exit", (code) => reached.reject(new Error(`tributary start ended with ${code}`)));
    watchers = await watch(url, demo!, folder.path, (version, at) => {
      const commit = commits.get(version);
      if (commit !== undefined) delays.push(at - commit);
    });
    await reached.promise;
    subscription.close();
    for (const watcher of watchers) await watcher[Symbol.asyncDispose]();
    return { curve, figures: summarize(curve, delays, started, parameterCount) };
  } finally {
    await stop(child);
    folder.remove();
  }
}

function summarize(
  curve: readonly RoundView[],
  delays: readonly number[],
  started: number,
  parameterCount: number,
) {
  const endOf = (round: RoundView | undefined): number =>
    round === undefined ? Number.NaN : (Date.parse(round.endedAt!) - started) / 1000;
  const first = endOf(curve[0]);
  const last = endOf(curve.at(-1));
  const sum = (pick: (round: RoundView) => number): number =>
    curve.reduce((total, round) => total + pick(round), 0);
  const reports = sum((round) => round.reported);
  // Whoever gets an offer downloads, whether its update is needed in the end or not.
  const offers = sum((round) => round.offered);
  return {
    secondsToFirstCommit: first,
    secondsTo95: endOf(curve.find((round) => (round.accuracy ?? 0) >= 0.95)),
    roundsPerMinute: ((curve.length - 1) / (last - first)) * 60,
    pushP50Ms: quantile(delays, 0.5),
    pushP99Ms: quantile(delays, 0.99),
    bytesUpPerParameter: sum((round) => round.bytesUp) / (reports * parameterCount),
    bytesDownPerParameter: sum((round) => round.bytesDown) / (offers * parameterCount),
  };
}

/** Real devices of this process that only run the model: when do they run what was just committed? */
async function watch(
  url: string,
  demo: string,
  folder: string,
  onRunning: (version: number, at: number) => void,
) {
  const runtimes = [];
  const root = await pinnedRoot(demo);
  for (let index = 0; index < WATCHERS; index++) {
    const runtime = await createRuntime({
      coordinator: url,
      trust: { root },
      token: async () => (await fetch(`${demo}/fl-token`)).text(),
      dataDir: join(folder, `watcher-${index}`),
    });
    await runtime.model("digits");
    void (async () => {
      for await (const event of runtime.events())
        if (event.type === "running") onRunning(event.version, event.at);
    })();
    runtimes.push(runtime);
  }
  return runtimes;
}

/** The demo knows it some moments after the coordinator listens. */
async function pinnedRoot(demo: string): Promise<Uint8Array> {
  for (;;) {
    const response = await fetch(`${demo}/root.json`);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function listening(url: string, child: ChildProcess): Promise<void> {
  const api = createApiClient({ baseUrl: url });
  while (child.exitCode === null) {
    const models = await api.models().catch(() => []);
    if (models.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`tributary start ended with ${child.exitCode}`);
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}

function bound(name: string, value: number, limit: number): string {
  return `${value <= limit ? "met   " : "MISSED"} ${name} ${value.toFixed(2)} (at most ${limit})`;
}
