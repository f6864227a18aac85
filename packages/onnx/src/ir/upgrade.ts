import { failure } from "@tributary/core";
import { intAttribute, nodeLabel } from "./attributes.ts";
import type { ShapeTable } from "./fact.ts";
import { RESERVED_PREFIX } from "./graph-builder.ts";
import type { Attribute, Graph, Model, Node, TensorValue } from "./model.ts";
import { inferShapes } from "./shapes.ts";
import { floatTensor, floatValues, int64Tensor } from "./tensor-value.ts";
import type { ConstantSink } from "./upgrade-forms.ts";
import { UPGRADES } from "./upgrade-forms.ts";

/** Oldest operator set whose operators broadcast as today's do. */
const OLDEST_OPSET = 7;
/** Rules and formulations are written in the forms of this one, which newer ones kept. */
export const COMMON_OPSET = 18;

/** Version of the default operator set; 1 where the file names none. */
export function opsetOf(model: Model): number {
  return model.opsetImports.find(({ domain }) => domain === "")?.version ?? 1;
}

/**
 * The same model in the operator forms of opset 18 (newer models keep theirs): axes as inputs, Softmax
 * over one axis. Nodes must be sorted, and constants initializers. Errors: `onnx/unsupported-opset`, `onnx/unsupported-attribute`.
 */
export function upgradeModel(model: Model): Model {
  const from = opsetOf(model);
  if (from < OLDEST_OPSET) {
    throw failure(
      "onnx/unsupported-opset",
      `onnx: operator set ${from}, the oldest supported is ${OLDEST_OPSET}; export again with a newer one`,
    );
  }
  if (from >= COMMON_OPSET) return model;
  const initializers: TensorValue[] = [...model.graph.initializers];
  const constants = constantSink(initializers);
  const softmax = from < 13 ? softmaxUpgrade(model) : undefined;
  const upgradeNode = (node: Node): Node => {
    if (node.domain !== "") return node;
    if (softmax !== undefined && isSoftmax(node)) return softmax(node);
    const upgrade = UPGRADES.get(node.opType);
    const upgraded = upgrade !== undefined && from < upgrade.before ? upgrade.apply(node, constants) : node;
    return withUpgradedBodies(upgraded, upgradeNode);
  };
  const nodes = model.graph.nodes.map(upgradeNode);
  const opsetImports = [
    { domain: "", version: COMMON_OPSET },
    ...model.opsetImports.filter(({ domain }) => domain !== ""),
  ];
  return { ...model, opsetImports, graph: { ...model.graph, nodes, initializers } };
}

/** Branches and loop bodies too; they see the constants of the whole graph. */
function withUpgradedBodies(node: Node, upgradeNode: (node: Node) => Node): Node {
  const upgradeGraph = (graph: Graph): Graph => ({ ...graph, nodes: graph.nodes.map(upgradeNode) });
  const attributes = [...node.attributes].map(([name, attribute]): [string, Attribute] => {
    if (attribute.type === "graph") return [name, { ...attribute, value: upgradeGraph(attribute.value) }];
    if (attribute.type !== "graphs") return [name, attribute];
    return [name, { ...attribute, value: attribute.value.map(upgradeGraph) }];
  });
  return { ...node, attributes: new Map(attributes) };
}

/** Appends to the initializers. */
function constantSink(initializers: TensorValue[]): ConstantSink {
  const add = (make: (name: string) => TensorValue): string => {
    initializers.push(make(`${RESERVED_PREFIX}upgrade.${initializers.length}`));
    return initializers.at(-1)!.name;
  };
  const floats = new Map(
    initializers.flatMap((tensor) =>
      tensor.elementType === "float32" && tensor.dims.length === 1 ? [[tensor.name, tensor] as const] : [],
    ),
  );
  return {
    ints: (values) => add((name) => int64Tensor(name, [values.length], values)),
    float: (value) => add((name) => floatTensor(name, [], [value])),
    floats: (values) => {
      const name = add((given) => floatTensor(given, [values.length], values));
      floats.set(name, initializers.at(-1)!);
      return name;
    },
    valuesOf(name) {
      const tensor = floats.get(name);
      return tensor && [...floatValues(tensor)];
    },
  };
}

function isSoftmax({ opType, domain }: Node): boolean {
  return domain === "" && (opType === "Softmax" || opType === "LogSoftmax" || opType === "Hardmax");
}

/** Before opset 13 Softmax went over all axes from `axis` on; for the last axis both forms agree. */
function softmaxUpgrade(model: Model): (node: Node) => Node {
  let facts: ShapeTable | undefined;
  return (node) => {
    facts ??= inferShapes(model);
    const rank = facts.get(node.inputs[0] ?? "")?.shape?.length;
    const axis = intAttribute(node, "axis", 1);
    if (rank === undefined || (axis !== rank - 1 && axis !== -1)) {
      throw failure(
        "onnx/unsupported-attribute",
        `onnx: ${nodeLabel(node)}: softmax over several axes (axis ${axis} of ${rank ?? "?"}); export with operator set 13 or newer`,
      );
    }
    return { ...node, attributes: new Map([["axis", { type: "int", value: -1n }]]) };
  };
}
