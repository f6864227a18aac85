import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { openEnrolmentTokens } from "@tributary/coordinator";
import { asPopulationName, seededRandom } from "@tributary/core";
import { bindWeights, buildDigitsCnn, splitWeights } from "@tributary/onnx";
import { parameterSet } from "@tributary/tensor";
import { quantile } from "../bench/quantile.ts";
import { startCoordinator, temporaryFolder } from "../coordinator-process.ts";
import type { Adoption, FleetMessage, FleetProcess } from "./fleet-process.ts";

const PROCESS = join(import.meta.dirname, "fleet-process.ts");

/** Of a process for hundreds of devices: room for what each of them throws away soon. */
const NODE_FLAGS = ["--conditions=@tributary/source", "--min-semi-space-size=16"];

export interface FleetOptions {
  readonly devices: number;
  /** At most 4. */
  readonly processes: number;
  /** Devices that load the version, and check what it answers. */
  readonly loading: number;
  /** Draws them. */
  readonly seed: string;
  readonly log?: (line: string) => void;
}

export interface FleetAdoption {
  readonly adoptions: readonly Adoption[];
  /** From the commit until a device has the version, verified and on its disk; those that load it: until it runs. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Of those that load it alone. */
  readonly loadingP99Ms: number;
  /** What a device took of a processor, on average, and the coordinator for it: what a busy machine does not change. */
  readonly deviceCpuMs: number;
  readonly coordinatorCpuMs: number;
}

/** Connected devices in processes of their own get a new version from a coordinator in its own. */
export async function adoptVersion(options: FleetOptions): Promise<FleetAdoption> {
  const { devices, processes, log = () => undefined } = options;
  const folder = temporaryFolder();
  const coordinator = await startCoordinator({ dataDir: join(folder.path, "coordinator") });
  const children: ChildProcess[] = [];
  try {
    const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
    const first = buildDigitsCnn({ seed: "fleet" });
    await api.publishModel("digits", first);
    const root = Buffer.from(await (await fetch(`${coordinator.url}/v1/tuf/1.root.json`)).arrayBuffer());
    const tokens = openEnrolmentTokens(coordinator.dataDir);
    const token = await tokens.mint(asPopulationName("default"), { maxUses: devices });
    const loading = drawn(options);
    for (let i = 0; i < processes; i++) {
      const own = Array.from({ length: devices }, (_, device) => device).filter(
        (device) => device % processes === i,
      );
      const fleet: FleetProcess = {
        coordinator: coordinator.url,
        root: root.toString("base64"),
        token,
        folder: folder.path,
        devices: own,
        loading: own.filter((device) => loading.has(device)),
      };
      children.push(fork(PROCESS, [JSON.stringify(fleet)], { execArgv: NODE_FLAGS }));
    }
    await Promise.all(children.map((child) => told(child, "ready")));
    log(`${(await api.status()).devices.connected} devices are connected`);
    const adopting = Promise.all(children.map((child) => told(child, "adopted")));
    await api.publishModel("digits", changed(first));
    const publishedAtMs = Date.now();
    const cpuBeforeMs = cpuMsOf(coordinator.pid);
    const messages = await adopting;
    const coordinatorCpuMs = (cpuMsOf(coordinator.pid) - cpuBeforeMs) / devices;
    const adoptions = messages.flatMap((message) => message.adoptions);
    // The commit comes before the first push and the answer to who published.
    const committedAtMs = Math.min(
      publishedAtMs,
      ...adoptions.map(({ pushedAtMs = Infinity }) => pushedAtMs),
    );
    const times = (some: readonly Adoption[]): number[] => some.map(({ atMs }) => atMs - committedAtMs);
    const all = times(adoptions);
    return {
      adoptions,
      deviceCpuMs: messages.reduce((sum, { cpuMs }) => sum + cpuMs, 0) / devices,
      coordinatorCpuMs,
      p50Ms: quantile(all, 0.5),
      p99Ms: quantile(all, 0.99),
      maxMs: Math.max(...all),
      loadingP99Ms: quantile(times(adoptions.filter(({ device }) => loading.has(device))), 0.99),
    };
  } finally {
    for (const child of children) child.kill();
    await coordinator.stop();
    folder.remove();
  }
}

/** User and system time; NaN where the system does not tell. */
function cpuMsOf(pid: number): number {
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "";
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  // Fields 14 and 15 of proc_pid_stat(5), in hundredths of a second.
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

function drawn({ devices, loading, seed }: FleetOptions): ReadonlySet<number> {
  const random = seededRandom(seed);
  const numbers = new Set<number>();
  while (numbers.size < loading) numbers.add(Math.floor(random.next() * devices));
  return numbers;
}

/** The next version: some weights a little smaller, as after a round. */
function changed(model: Uint8Array): Uint8Array {
  const { graph, parameters } = splitWeights(model);
  const values = parameters.values.map((value, i) => (i % 50 === 0 ? 0.9 * value : value));
  return bindWeights(graph, parameterSet(parameters.schema, values));
}

/** The process's next word of this kind. */
async function told<Type extends FleetMessage["type"]>(
  child: ChildProcess,
  type: Type,
): Promise<Extract<FleetMessage, { type: Type }>> {
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`a process of the fleet ended with ${code}`);
  });
  ended.catch(() => {});
  for (;;) {
    const [message] = (await Promise.race([once(child, "message"), ended])) as [FleetMessage];
    if (message.type === type) return message as Extract<FleetMessage, { type: Type }>;
  }
}
