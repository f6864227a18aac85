import type { Graph, Node } from "./model.ts";
import { floatValues } from "./tensor-value.ts";

/** Positions that hold weights, by operator. */
const WEIGHTS: ReadonlyMap<string, readonly number[]> = new Map([
  ["BatchNormalization", [1, 2]],
  ["Conv", [1, 2]],
  ["ConvTranspose", [1, 2]],
  ["Einsum", [0, 1, 2, 3]],
  ["GRU", [1, 2, 3]],
  ["Gather", [0]],
  ["GatherND", [0]],
  ["Gemm", [0, 1, 2]],
  ["GroupNormalization", [1, 2]],
  ["InstanceNormalization", [1, 2]],
  ["LSTM", [1, 2, 3, 7]],
  ["LayerNormalization", [1, 2]],
  ["MatMul", [0, 1]],
  ["PRelu", [1]],
  ["RMSNormalization", [1]],
  ["RNN", [1, 2, 3]],
]);

/** Positions that hold settings, however float they are, on a weight's way to where it is read. */
const SETTINGS: ReadonlyMap<string, (index: number) => boolean> = new Map([
  ["Clip", (index: number) => index >= 1],
  ["DequantizeLinear", (index: number) => index >= 1],
  ["Dropout", (index: number) => index >= 1],
  ["Pad", (index: number) => index >= 1],
  ["QuantizeLinear", (index: number) => index >= 1],
  ["Range", () => true],
  ["Resize", (index: number) => index >= 1],
]);

/** Numbers as large as this in an Add hide places from a softmax: a mask, no bias. */
const MASK = 1e4;

/**
 * Names of the values that count as weights: what linear, convolution, normalization, recurrent and embedding
 * operators read as such, and, behind a first one of these, scales (Mul) and biases (Add). Weights may be computed
 * from others, but not from the data. So the mean and deviation that an input is normalized with are none.
 */
export function weightNames(graph: Graph): ReadonlySet<string> {
  const constants = new Set(graph.initializers.map(({ name }) => name));
  const reads = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of new Set(node.inputs)) {
      const list = reads.get(name);
      if (list === undefined) reads.set(name, [node]);
      else list.push(node);
    }
  }
  const behind = (names: Iterable<string>): Set<string> =>
    reachable(names, (name) => (reads.get(name) ?? []).flatMap(({ outputs }) => outputs));
  const fed = behind(graph.inputs.flatMap(({ name }) => (constants.has(name) ? [] : [name])));
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const before = (names: Iterable<string>): Set<string> =>
    reachable(names, (name) => {
      const maker = makers.get(name);
      if (maker === undefined) return [];
      const isSetting = SETTINGS.get(maker.opType);
      return maker.inputs.filter((_, index) => isSetting?.(index) !== true);
    });
  const standard = graph.nodes.filter(({ domain }) => domain === "");
  const strict = before(
    standard.flatMap(({ opType, inputs }) =>
      (WEIGHTS.get(opType) ?? []).flatMap((index) => {
        const name = inputs[index] ?? "";
        return name === "" || fed.has(name) ? [] : [name];
      }),
    ),
  );
  const learned = behind([...strict].filter((name) => constants.has(name)));
  const beside = before(
    standard.flatMap(({ opType, inputs: [a = "", b = ""] }) => {
      if (opType !== "Add" && opType !== "Mul") return [];
      const other = fed.has(a) && learned.has(a) ? b : fed.has(b) && learned.has(b) ? a : "";
      return other === "" || fed.has(other) ? [] : [other];
    }),
  );
  const masks = graph.initializers.filter(
    (tensor) =>
      beside.has(tensor.name) &&
      !strict.has(tensor.name) &&
      tensor.elementType === "float32" &&
      floatValues(tensor).some((value) => !(Math.abs(value) < MASK)),
  );
  for (const { name } of masks) beside.delete(name);
  return new Set([...strict, ...beside]);
}

/** Everything that can be come to from the names, in either direction, with them. */
function reachable(names: Iterable<string>, next: (name: string) => readonly string[]): Set<string> {
  const reached = new Set<string>();
  const pending = [...names];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === "" || reached.has(name)) continue;
    reached.add(name);
    pending.push(...next(name));
  }
  return reached;
}
