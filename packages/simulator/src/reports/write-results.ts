import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { parametersToSafetensors } from "@tributary/tensor";
import { SIMULATION_START_MS, type SimulationResult } from "../simulate/simulate-options.ts";
import { roundEvents } from "./event-file.ts";
import { roundsCsv } from "./rounds-csv.ts";

/** What a simulation came to, without the model itself. */
export interface SimulationReport {
  readonly task: SimulationResult["spec"];
  /** How it was run: what else is needed to run it again. */
  readonly options: Readonly<Record<string, string | number | boolean | null>>;
  readonly rounds: SimulationResult["rows"];
  readonly stopped: SimulationResult["stopped"];
  readonly roundsToTarget: number | null;
  readonly released: number;
  readonly modelDigest: string;
  readonly weightsDigest: string;
}

export function simulationReport(
  { spec, rows, stopped, roundsToTarget, released, modelDigest, weightsDigest }: SimulationResult,
  options: SimulationReport["options"],
): SimulationReport {
  return { task: spec, options, rounds: rows, stopped, roundsToTarget, released, modelDigest, weightsDigest };
}

/**
 * Writes `results.json`, `rounds.csv`, an event file for TensorBoard, and the last version as `model.onnx` and
 * `weights.safetensors`.
 *
 * @returns their paths
 */
export async function writeResults(
  folder: string,
  result: SimulationResult,
  report: SimulationReport,
): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true });
  const files: readonly (readonly [string, string | Uint8Array])[] = [
    ["results.json", `${JSON.stringify(report, null, 2)}\n`],
    ["rounds.csv", roundsCsv(result.rows)],
    ["events.out.tfevents.0.tributary", roundEvents(SIMULATION_START_MS, result.rows)],
    ["model.onnx", result.model],
    ["weights.safetensors", parametersToSafetensors(result.weights)],
  ];
  const paths: string[] = [];
  for (const [name, content] of files) {
    const file = path.join(folder, name);
    await writeFile(file, content);
    paths.push(file);
  }
  return paths;
}
