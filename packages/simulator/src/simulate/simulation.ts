import { sha256 } from "@tributary/core";
import { bufferedMode } from "@tributary/protocol";
import { playBuffered } from "./buffered-rounds.ts";
import { Course } from "./course.ts";
import { createIdentities } from "./identities.ts";
import { prepareTask } from "./prepare-task.ts";
import { requireFit } from "./require-fit.ts";
import { sharedTable } from "./shared-table.ts";
import type { SimulateOptions, SimulationResult } from "./simulate-options.ts";
import { createSimulatedControls } from "./simulated-controls.ts";
import { playSynchronous } from "./synchronous-rounds.ts";
import { createTrainingPool } from "./training-pool.ts";

/**
 * Plays a task's rounds among simulated devices: both halves of the real protocol under a virtual clock, with real local
 * training. The same options give the same rounds and the same model, down to the bit, on any number of threads.
 *
 * @throws `simulator/*`, `onnx/*`, `secagg/*`, `aggregation/*`, `dataset/*`, `signal.reason`
 */
export async function simulate(options: SimulateOptions): Promise<SimulationResult> {
  const { data, heldOut, trusted, seed } = options;
  const identities = createIdentities(seed);
  const task = await prepareTask(options.spec, options.model, identities.issuerPublicKey, trusted);
  requireFit(task, options);
  const pool = createTrainingPool(
    {
      ...task.graphs,
      layout: task.rules.plan.update,
      parameters: task.rules.plan.parameters,
      table: data.table,
      heldOut: heldOut === undefined ? null : sharedTable(heldOut),
      trusted: trusted === undefined ? null : sharedTable(trusted),
      dataSeed: data.seed,
    },
    options.threads,
  );
  const controls = task.rules.plan.controlVariates === true ? await createSimulatedControls() : undefined;
  try {
    const course = new Course({ ...options, task, identities, pool, controls });
    const mode = bufferedMode(task.spec);
    await (mode === null ? playSynchronous(course) : playBuffered(course, mode));
    const model = course.model.model();
    return { ...course.result(), model, modelDigest: sha256(model) };
  } finally {
    await pool.close();
    await controls?.close();
  }
}
