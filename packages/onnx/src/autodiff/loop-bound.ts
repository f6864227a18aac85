import type { ShapeTable } from "../ir/fact.ts";
import { staticShape } from "../ir/fact.ts";
import { countFlops } from "../ir/flops.ts";
import type { Node } from "../ir/model.ts";

/** Most steps of one run. */
export const MAX_LOOP_STEPS = 4096;

/**
 * What a run is planned to take, in ms, by the figures below: a quarter of the 30 ms that it may, because machines differ by
 * as much. An engine ends no run early, and a page that is asked to stop waits for it. Longer loops gain next to nothing.
 */
const RUN_BUDGET_MS = 8;

/**
 * Floating-point operations per ms of products on one WASM thread, the slowest engine: a training step reaches 56 to
 * 79 % of the 32 GF/s that a matrix product does (training-on-onnxruntime, section 1).
 */
const FLOPS_PER_MS = 20e6;

/** Elements that other operators make per ms: they wait for memory. Measured on Adam's steps of the 2NN. */
const ELEMENTS_PER_MS = 1.5e6;

/** What each operator costs besides, in ms. Of a step of small layers it is most. */
const MS_PER_NODE = 0.003;

const PRODUCTS: ReadonlySet<string> = new Set([
  "Attention",
  "Conv",
  "ConvTranspose",
  "Einsum",
  "GRU",
  "Gemm",
  "LSTM",
  "MatMul",
  "RNN",
]);
/** Only another name or shape of the same memory. */
const VIEWS: ReadonlySet<string> = new Set(["Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"]);

/** How long a step takes on one WASM thread, in ms, to a factor of about two. */
export function stepMs(nodes: readonly Node[], facts: ShapeTable): number {
  const products = nodes.filter(({ opType }) => PRODUCTS.has(opType));
  const elements = nodes.reduce((sum, { opType, outputs }) => {
    if (PRODUCTS.has(opType) || VIEWS.has(opType)) return sum;
    const shape = staticShape(facts.get(outputs[0] ?? "")) ?? [];
    return sum + shape.reduce((product, size) => product * size, 1);
  }, 0);
  const moved = elements / ELEMENTS_PER_MS;
  return countFlops(products, facts).total / FLOPS_PER_MS + moved + nodes.length * MS_PER_NODE;
}

/** Steps that fit into one run of 30 ms: at least one, at most as many as were asked for. */
export function boundedLoopSteps(wanted: number, takenMs: number): number {
  return Math.max(1, Math.min(wanted, Math.floor(RUN_BUDGET_MS / takenMs)));
}
