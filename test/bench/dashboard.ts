import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { build2nn } from "@tributary/onnx";
import type { Benchmark, BenchmarkContext } from "../src/bench/benchmark.ts";
import { quantile } from "../src/bench/quantile.ts";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { startMeasured, type MeasuredCoordinator } from "../src/dashboard-bench/measured-coordinator.ts";
import { orderOf, pairedRatio, type Pair } from "../src/dashboard-bench/paired-ratio.ts";
import { connectDevices, type RoundDevices } from "../src/dashboard-bench/round-devices.ts";
import type { ViewersOrder, ViewersReport } from "../src/dashboard-bench/viewers.ts";

const VIEWERS = fileURLToPath(new URL("../src/dashboard-bench/viewers.ts", import.meta.url));
/** What a round sets off goes on a little after its version is there. */
const SETTLE_MS = 400;
/** Rounds before the first that counts, one with viewers and one without by turns. */
const WARM_UP = 4;

interface Size {
  readonly devices: number;
  readonly viewers: number;
  /** Of the viewers, how many close the page and open it again in each round. */
  readonly comeAndGo: number;
  readonly pairs: number;
  readonly hidden: number;
}
const FULL: Size = { devices: 500, viewers: 50, comeAndGo: 5, pairs: 30, hidden: 110 };
/** Tells whether it runs, and nothing of how fast. */
const QUICK: Size = { devices: 8, viewers: 3, comeAndGo: 1, pairs: 2, hidden: 4 };

/** Viewers of the dashboard must not slow down the rounds that they watch. */
const dashboard: Benchmark = {
  name: "dashboard",
  summary: "What 50 viewers of the dashboard cost rounds of 500 devices: processor time of the coordinator.",
  usage: "[--quick] [--pairs N]",
  async run(context) {
    const size = sizeOf(context.args);
    const { cpu, wall, perRound } = await measure(size, context);
    const ratio = pairedRatio(cpu);
    const wallRatio = pairedRatio(wall);
    const figures = {
      roundSlowdownRatio: ratio.median,
      roundSlowdownLower: ratio.lower,
      roundSlowdownUpper: ratio.upper,
      roundWallRatio: wallRatio.median,
      roundWallLower: wallRatio.lower,
      roundWallUpper: wallRatio.upper,
      cpuMsWithout: quantile(
        cpu.map((pair) => pair.without),
        0.5,
      ),
      cpuMsWith: quantile(
        cpu.map((pair) => pair.with),
        0.5,
      ),
      wallMsWithout: quantile(
        wall.map((pair) => pair.without),
        0.5,
      ),
      wallMsWith: quantile(
        wall.map((pair) => pair.with),
        0.5,
      ),
      eventsPerRound: quantile(
        perRound.map(({ events }) => events),
        0.5,
      ),
      requestsPerRound: quantile(
        perRound.map(({ requests }) => requests),
        0.5,
      ),
    };
    const met = ratio.median <= 1.05 ? "met   " : "MISSED";
    const interval = `${ratio.lower.toFixed(3)} to ${ratio.upper.toFixed(3)}`;
    return {
      results: { size, cpuMs: cpu, wallMs: wall, viewers: perRound },
      figures,
      verdicts:
        size.devices < FULL.devices
          ? []
          : [`${met} roundSlowdownRatio ${ratio.median.toFixed(3)} (${interval} with 95 %; at most 1.05)`],
    };
  },
};
export default dashboard;

function sizeOf(args: readonly string[]): Size {
  const size = args.includes("--quick") ? QUICK : FULL;
  const at = args.indexOf("--pairs");
  if (at < 0) return size;
  const pairs = Number(args[at + 1]);
  if (!Number.isInteger(pairs) || pairs < 1)
    throw new RangeError(`--pairs: expected a whole number from 1, got ${args[at + 1]}`);
  return { ...size, pairs };
}

interface Measured {
  readonly cpu: readonly Pair[];
  readonly wall: readonly Pair[];
  /** What all viewers did in each round that they watched. */
  readonly perRound: readonly ViewersReport[];
}

async function measure(size: Size, context: BenchmarkContext): Promise<Measured> {
  const folder = temporaryFolder();
  const coordinator = await startMeasured(folder.path);
  const child = fork(VIEWERS, { execArgv: ["--conditions=@tributary/source"], stdio: "inherit" });
  let devices: RoundDevices | undefined;
  try {
    context.log(`${size.devices} devices enrol and connect`);
    const model = build2nn({ seed: "round", hidden: size.hidden });
    const rounds = WARM_UP + 2 * size.pairs;
    devices = await connectDevices(coordinator, { model, devices: size.devices, rounds });
    const watched = {
      url: coordinator.url,
      token: coordinator.operatorToken,
      task: devices.task,
      model: devices.task,
    };
    const lone = () => measureRound(coordinator, devices!);
    const watching = async () => {
      await tell(child, { type: "open", watched, count: size.viewers });
      await pause(SETTLE_MS);
      // From here on it counts what they do.
      const moving = tell(child, { type: "come-and-go", count: size.comeAndGo });
      const round = await lone();
      await moving;
      const report = await tell(child, { type: "close" });
      await pause(SETTLE_MS);
      return { round, report };
    };
    for (let round = 0; round < WARM_UP; round += 2) {
      await lone();
      await watching();
    }
    const [cpu, wall, perRound]: [Pair[], Pair[], ViewersReport[]] = [[], [], []];
    for (let number = 0; number < size.pairs; number += 1) {
      const pair = { with: { cpuMs: 0, wallMs: 0 }, without: { cpuMs: 0, wallMs: 0 } };
      for (const kind of orderOf(number)) {
        if (kind === "without") {
          pair.without = await lone();
          continue;
        }
        const { round, report } = await watching();
        pair.with = round;
        perRound.push(report);
      }
      cpu.push({ with: pair.with.cpuMs, without: pair.without.cpuMs });
      wall.push({ with: pair.with.wallMs, without: pair.without.wallMs });
      context.log(
        `pair ${number + 1} of ${size.pairs}: ${pair.without.cpuMs.toFixed(0)} ms, with viewers ${pair.with.cpuMs.toFixed(0)} ms of processor time; so far ${pairedRatio(cpu).median.toFixed(3)}`,
      );
    }
    return { cpu, wall, perRound };
  } finally {
    devices?.close();
    child.disconnect();
    await coordinator.stop();
    folder.remove();
  }
}

async function measureRound(
  coordinator: MeasuredCoordinator,
  devices: RoundDevices,
): Promise<{ readonly cpuMs: number; readonly wallMs: number }> {
  const before = await coordinator.cpuMs();
  const wallMs = await devices.round();
  await pause(SETTLE_MS);
  return { cpuMs: (await coordinator.cpuMs()) - before, wallMs };
}

async function tell(child: ChildProcess, order: ViewersOrder): Promise<ViewersReport> {
  child.send(order);
  const [answer] = (await once(child, "message")) as [{ done?: ViewersReport; error?: string }];
  if (answer.done === undefined) throw new Error(`the viewers failed: ${answer.error}`);
  return answer.done;
}
