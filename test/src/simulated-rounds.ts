import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { build2nn } from "@tributary/onnx";
import { parseTaskSpec, type TaskSpec } from "@tributary/protocol";
import { digitsClientData, simulate, type SimulationResult } from "@tributary/simulator";

// Figures of the simulator for `bench rounds`.

/** One round of so many writers of the built-in digits, 20 examples each, on the 2NN of the FedAvg paper. */
function simulatedRound(options: {
  readonly clients: number;
  readonly cohort: number;
  readonly fleet?: Parameters<typeof simulate>[0]["fleet"];
  readonly rounds?: number;
}): Promise<SimulationResult> {
  const { clients, cohort, fleet = {}, rounds = 1 } = options;
  return simulate({
    spec: taskOf(cohort),
    model: build2nn({ seed: "simulated" }),
    data: digitsClientData({
      spec: { kind: "dirichlet", alpha: 0.5 },
      clients,
      seed: "simulated",
      examplesPerClient: 20,
    }),
    seed: "simulated",
    fleet,
    rounds,
  });
}

function taskOf(cohort: number): TaskSpec {
  return parseTaskSpec({
    name: "simulated",
    model: "digits",
    cohort: {
      goalCount: cohort,
      minimumCount: Math.ceil(cohort / 2),
      overSelection: 1,
      trainDeadlineMs: 3_600_000,
      reportDeadlineMs: 3_600_000,
    },
    secureAggregation: { mode: "off" },
  });
}

/**
 * Wall seconds of a round in which 1,000 clients train the 2NN and report, the threads' start included; updates are
 * reported one by one.
 */
export async function simulatedRound1000Seconds(): Promise<number> {
  const begin = performance.now();
  const { rows } = await simulatedRound({ clients: 1_000, cohort: 1_000 });
  if (rows[0]?.reported !== 1_000) throw new Error(`1000 updates expected, got ${rows[0]?.reported}`);
  return (performance.now() - begin) / 1000;
}

/** Peak resident memory of a process that simulates rounds among a million clients that come and go, in 10^6 bytes. */
export async function simulatedMillionClientsRssMb(): Promise<number> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--conditions=@tributary/source", join(import.meta.dirname, "simulate-million.ts")],
    { maxBuffer: 2 ** 20 },
  );
  return Number(stdout);
}

/** In the child process. @returns peak RSS, in 10^6 bytes */
export async function simulateMillion(): Promise<number> {
  const { rows } = await simulatedRound({
    clients: 1_000_000,
    cohort: 100,
    rounds: 3,
    fleet: { dropout: 0.2, onlineMinutes: 30, offlineMinutes: 600, daySwing: 4 },
  });
  if (rows.filter(({ phase }) => phase === "committed").length !== 3) {
    throw new Error("3 committed rounds expected");
  }
  // In kibibytes.
  return (process.resourceUsage().maxRSS * 1024) / 1e6;
}
