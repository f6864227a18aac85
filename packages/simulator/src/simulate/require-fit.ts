import { failure } from "@tributary/core";
import { tableProblem } from "@tributary/engine/table-problem";
import { fleetModel } from "../fleet-model/fleet-model.ts";
import type { PreparedTask } from "./prepare-task.ts";
import type { SimulateOptions } from "./simulate-options.ts";

/** Before it trains for nothing: that data and task fit. @throws `simulator/invalid-options`, `dataset/mismatch` */
export function requireFit(
  { spec, ports, rules }: PreparedTask,
  { data, heldOut, trusted, fleet }: SimulateOptions,
): void {
  const { goalCount, minimumCount } = spec.cohort;
  if (data.clients < minimumCount) {
    throw failure(
      "simulator/invalid-options",
      `simulate: ${data.clients} clients are fewer than the ${minimumCount} that a round of "${spec.name}" needs (its goal is ${goalCount})`,
      { detail: { option: "clients", got: data.clients, expected: minimumCount } },
    );
  }
  if (rules.plan.eligibility?.storage === "durable" && fleetModel(fleet ?? {}).nodeShare === 0) {
    throw failure(
      "simulator/invalid-options",
      `simulate: "${spec.name}" is for devices whose storage lasts, and all of the fleet are browsers; give --node-share 1`,
      { detail: { option: "node-share", got: 0 } },
    );
  }
  for (const [what, table] of [
    ["training", data.table],
    ["held-out", heldOut],
    ["trusted", trusted],
  ] as const) {
    const problem = table === null || table === undefined ? undefined : tableProblem(table, spec, ports);
    if (problem === undefined) continue;
    throw failure("dataset/mismatch", `simulate: the ${what} examples do not fit the model: ${problem}`, {
      detail: { problem: problem.slice(0, 200) },
    });
  }
}
