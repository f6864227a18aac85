import { readFileSync } from "node:fs";
import { buildFedAvgCnn } from "@tributary/onnx";
import { temporaryFolder, startCoordinator } from "../coordinator-process.ts";
import { createScriptedRound, PATIENT } from "../scripted-round.ts";
import type { BenchmarkContext } from "./benchmark.ts";

/**
 * Peak resident memory, in bytes, of a coordinator process that aggregates `updates` updates of the FedAvg paper's CNN
 * (1.66 million parameters) in one round.
 */
export async function peakMemoryOfRound(updates: number, context: BenchmarkContext): Promise<number> {
  const folder = temporaryFolder();
  const coordinator = await startCoordinator({ dataDir: folder.path });
  try {
    const round = await createScriptedRound(coordinator, {
      model: buildFedAvgCnn({ seed: "memory" }),
      devices: updates,
      cohort: PATIENT,
    });
    await round.uploadAll((device) => ({ numExamples: 10 + device, fill: 1e-6 * (device + 1) }));
    await round.committed();
    const peak = peakRssBytes(coordinator.pid);
    context.log(`${updates} updates in a round: peak RSS ${(peak / 1e6).toFixed(0)} MB`);
    round.close();
    return peak;
  } finally {
    await coordinator.stop();
    folder.remove();
  }
}

function peakRssBytes(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (line === null) throw new Error("peak memory is read from /proc, which this system lacks");
  return Number(line[1]) * 1024;
}
