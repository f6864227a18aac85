import type { ShapeTable } from "../ir/fact.ts";
import { countFlops } from "../ir/flops.ts";
import type { Node } from "../ir/model.ts";

/** Most steps of one run. */
export const MAX_LOOP_STEPS = 4096;

/** How long one run may take, in ms: an engine ends no run early, and a page that is asked to stop waits for it. */
const RUN_BUDGET_MS = 30;

/**
 * Floating-point operations per ms of one WASM thread, the slowest engine: a training step reaches 56 to 79 % of the
 * 32 GF/s that a matrix product does (training-on-onnxruntime, section 1).
 */
const FLOPS_PER_MS = 20e6;

/** What each operator costs besides, in ms. Of a step of small layers it is most. */
const MS_PER_NODE = 0.003;

/** How long a step takes on one WASM thread, in ms, to a factor of about two. */
function stepMs(nodes: readonly Node[], facts: ShapeTable): number {
  return countFlops(nodes, facts).total / FLOPS_PER_MS + nodes.length * MS_PER_NODE;
}

/** Steps that fit into one run of 30 ms: at least one, at most as many as were asked for. */
export function boundedLoopSteps(wanted: number, nodes: readonly Node[], facts: ShapeTable): number {
  return Math.max(1, Math.min(wanted, Math.floor(RUN_BUDGET_MS / stepMs(nodes, facts))));
}
