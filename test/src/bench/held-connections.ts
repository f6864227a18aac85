import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { openEnrolmentTokens } from "@tributary/coordinator";
import { asPopulationName } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { parseTaskSpec } from "@tributary/protocol";
import { startCoordinator, temporaryFolder } from "../coordinator-process.ts";
import type { BenchmarkContext } from "./benchmark.ts";
import type { ClientOptions } from "./held-connections-client.ts";

const CLIENT = join(import.meta.dirname, "held-connections-client.ts");
/** A process has 20,000 open files at most on many systems, and loopback 28,000 ports for one address. */
const PROCESSES = 4;

export interface HeldConnections {
  /** Greeted at the same time, as the coordinator counts them. */
  readonly connections: number;
  readonly bytesPerConnection: number;
  /** Each written to the round's journal before it is answered. */
  readonly checkInsPerSecond: number;
}

/** So many enrolled devices on one coordinator over loopback, and how fast it takes a check-in of each. */
export async function holdConnections(devices: number, context: BenchmarkContext): Promise<HeldConnections> {
  const folder = temporaryFolder();
  const coordinator = await startCoordinator({ dataDir: folder.path });
  const clients: ChildProcess[] = [];
  try {
    const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
    await api.publishModel("held", buildLinear({ seed: "held" }));
    // Nobody is enough: all of them wait in the round's queue.
    const cohort = { goalCount: 2 * devices, minimumCount: 2 * devices, overSelection: 1 };
    await api.createTask(
      parseTaskSpec({ name: "held", model: "held", cohort, secureAggregation: { mode: "off" } }),
    );
    const tokens = openEnrolmentTokens(coordinator.dataDir);
    const token = await tokens.mint(asPopulationName("default"), { maxUses: devices });
    const before = residentBytes(coordinator.pid);
    const options = { url: coordinator.url, token, devices: Math.ceil(devices / PROCESSES), task: "held" };
    for (let i = 0; i < PROCESSES; i++)
      clients.push(fork(CLIENT, [JSON.stringify(options satisfies ClientOptions)]));
    await Promise.all(clients.map((client) => told(client)));
    const { connected } = (await api.status()).devices;
    const bytesPerConnection = (residentBytes(coordinator.pid) - before) / connected;
    context.log(`${connected} connections, ${(bytesPerConnection / 1024).toFixed(1)} KiB each`);
    const began = performance.now();
    const answered = Promise.all(clients.map((client) => told(client)));
    for (const client of clients) client.send("check in");
    await answered;
    const checkInsPerSecond = connected / ((performance.now() - began) / 1000);
    context.log(`${checkInsPerSecond.toFixed(0)} check-ins a second`);
    return { connections: connected, bytesPerConnection, checkInsPerSecond };
  } finally {
    for (const client of clients) client.kill();
    await coordinator.stop();
    folder.remove();
  }
}

/** The client's next word. */
async function told(client: ChildProcess): Promise<void> {
  const ended = once(client, "exit").then(([code]) => {
    throw new Error(`a client process ended with ${code}`);
  });
  ended.catch(() => {});
  await Promise.race([once(client, "message"), ended]);
}

function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (line === null) throw new Error("memory is read from /proc, which this system lacks");
  return Number(line[1]) * 1024;
}
