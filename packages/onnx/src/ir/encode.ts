import type {
  AttributeProto,
  GraphProto,
  NodeProto,
  ValueInfoProto,
  ModelProto,
} from "../proto/onnx-messages.ts";
import { ModelSpec } from "../proto/onnx-messages.ts";
import { writeMessage } from "../proto/write-message.ts";
import { elementCodeOf } from "./element-type.ts";
import type { Attribute, Graph, Model, Node, ValueInfo } from "./model.ts";
import { kept, tensorToProto } from "./tensor-value.ts";

/** Writes an ONNX file; the same model always gives the same bytes. */
export function encodeModel(model: Model): Uint8Array<ArrayBuffer> {
  return writeMessage(ModelSpec, modelToProto(model));
}

export function modelToProto(model: Model): ModelProto {
  return {
    irVersion: model.irVersion,
    ...text("producerName", model.producerName),
    ...text("producerVersion", model.producerVersion),
    ...text("domain", model.domain),
    ...(model.modelVersion === 0 ? {} : { modelVersion: model.modelVersion }),
    graph: graphToProto(model.graph),
    opsetImports: [...model.opsetImports],
    metadata: [...model.metadata],
    ...kept(model),
  };
}

function graphToProto(graph: Graph): GraphProto {
  return {
    nodes: graph.nodes.map(nodeToProto),
    name: graph.name,
    initializers: graph.initializers.map(tensorToProto),
    inputs: graph.inputs.map(valueInfoToProto),
    outputs: graph.outputs.map(valueInfoToProto),
    valueInfo: graph.valueInfo.map(valueInfoToProto),
    ...kept(graph),
  };
}

function nodeToProto(node: Node): NodeProto {
  return {
    inputs: [...node.inputs],
    outputs: [...node.outputs],
    ...text("name", node.name),
    opType: node.opType,
    attributes: Array.from(node.attributes, ([name, value]) => attributeToProto(name, value)),
    ...text("domain", node.domain),
    ...kept(node),
  };
}

function attributeToProto(name: string, attribute: Attribute): AttributeProto {
  const rest = kept(attribute);
  switch (attribute.type) {
    case "float":
      return { name, f: attribute.value, type: 1, ...rest };
    case "int":
      return { name, i: attribute.value, type: 2, ...rest };
    case "string":
      return { name, s: attribute.value, type: 3, ...rest };
    case "tensor":
      return { name, t: tensorToProto(attribute.value), type: 4, ...rest };
    case "graph":
      return { name, g: graphToProto(attribute.value), type: 5, ...rest };
    case "floats":
      return { name, floats: [...attribute.value], type: 6, ...rest };
    case "ints":
      return { name, ints: [...attribute.value], type: 7, ...rest };
    case "strings":
      return { name, strings: [...attribute.value], type: 8, ...rest };
    case "tensors":
      return { name, tensors: attribute.value.map(tensorToProto), type: 9, ...rest };
    case "graphs":
      return { name, graphs: attribute.value.map(graphToProto), type: 10, ...rest };
    case "other":
      return { name, ...(attribute.value === 0 ? {} : { type: attribute.value }), ...rest };
  }
}

function valueInfoToProto(info: ValueInfo): ValueInfoProto {
  const { name } = info;
  if (info.otherType !== undefined) return { name, type: info.otherType, ...kept(info) };
  const dims = info.shape?.map((dim) =>
    typeof dim === "number" ? { value: dim } : dim === "" ? {} : { param: dim },
  );
  const elementType = elementCodeOf(info.elementType);
  if (elementType === 0 && dims === undefined) return { name, ...kept(info) };
  const tensorType = { elementType, ...(dims === undefined ? {} : { shape: { dims } }) };
  return { name, type: { tensorType }, ...kept(info) };
}

/** An empty text is the same as an absent one. */
function text<K extends string>(key: K, value: string): { [P in K]?: string } {
  return value === "" ? {} : ({ [key]: value } as { [P in K]: string });
}
