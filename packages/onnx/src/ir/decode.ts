import { failure } from "@tributary/core";
import type { ProtoLimits } from "../proto/message.ts";
import { readMessage } from "../proto/message.ts";
import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  ValueInfoProto,
} from "../proto/onnx-messages.ts";
import { ModelSpec } from "../proto/onnx-messages.ts";
import { elementTypeOf } from "./element-type.ts";
import type { ExternalReader } from "./external-data.ts";
import { loadExternalData } from "./external-data.ts";
import { inlineFunctions } from "./inline-functions.ts";
import type { Attribute, Graph, Model, Node, ValueInfo } from "./model.ts";
import { at, eachAt } from "./place.ts";
import { kept, tensorFromProto } from "./tensor-value.ts";

/**
 * Reads an ONNX file. Constants are views on `bytes`; nothing of them is copied. Calls of the file's own
 * functions are replaced by the functions' nodes.
 * Errors: `onnx/truncated`, `onnx/invalid-model`, `onnx/too-large`, `onnx/external-data`.
 */
export function decodeModel(bytes: Uint8Array, limits?: ProtoLimits): Model {
  return modelFromProto(readMessage(ModelSpec, bytes, limits), bytes.length);
}

/**
 * Reads an ONNX file whose weights may lie in other files of its folder, which `external` reads.
 * Errors: those of decodeModel, and `onnx/external-data` for paths that leave the folder.
 */
export async function readModel(
  bytes: Uint8Array,
  external: ExternalReader,
  limits?: ProtoLimits,
): Promise<Model> {
  const proto = readMessage(ModelSpec, bytes, limits);
  await loadExternalData(proto, external);
  return modelFromProto(proto, bytes.length);
}

function modelFromProto(read: ModelProto, fileBytes: number): Model {
  const proto = inlineFunctions(read, fileBytes);
  if (proto.graph === undefined) {
    throw failure("onnx/invalid-model", "onnx: no graph in the file; is this an ONNX model?");
  }
  return {
    irVersion: proto.irVersion ?? 0,
    producerName: proto.producerName ?? "",
    producerVersion: proto.producerVersion ?? "",
    domain: proto.domain ?? "",
    modelVersion: proto.modelVersion ?? 0,
    opsetImports: (proto.opsetImports ?? []).map(({ domain, version }) => ({
      domain: defaultDomain(domain),
      version: version ?? 0,
    })),
    metadata: (proto.metadata ?? []).map(({ key, value }) => ({
      key: key ?? "",
      value: value ?? "",
    })),
    graph: graphFromProto(proto.graph, "graph"),
    ...kept(proto),
  };
}

function graphFromProto(proto: GraphProto, path: string): Graph {
  const sparse = proto.sparseInitializers?.length ?? 0;
  if (sparse > 0) {
    throw failure(
      "onnx/unsupported-dtype",
      `onnx: graph "${proto.name ?? ""}" has ${sparse} sparse initializers; export it with dense weights`,
      { detail: { path: `${path}.sparseInitializers[0]` } },
    );
  }
  return {
    name: proto.name ?? "",
    nodes: eachAt(`${path}.nodes`, proto.nodes, nodeFromProto, labelOfProto),
    initializers: eachAt(`${path}.initializers`, proto.initializers, tensorFromProto),
    inputs: eachAt(`${path}.inputs`, proto.inputs, valueInfoFromProto),
    outputs: eachAt(`${path}.outputs`, proto.outputs, valueInfoFromProto),
    valueInfo: eachAt(`${path}.valueInfo`, proto.valueInfo, valueInfoFromProto),
    ...kept(proto),
  };
}

/** `Conv "conv1"`, or by its first result where it has no name. */
function labelOfProto({ opType, name, outputs }: NodeProto): string {
  return `${opType ?? ""} "${name || (outputs?.[0] ?? "")}"`;
}

function nodeFromProto(proto: NodeProto, path: string): Node {
  const attributes = new Map<string, Attribute>();
  for (const [i, attribute] of (proto.attributes ?? []).entries()) {
    const name = attribute.name ?? "";
    const place = { label: `${labelOfProto(proto)}, attribute ${name}`, path: `${path}.attributes[${i}]` };
    at(place, () => {
      if (name === "" || attributes.has(name)) {
        throw failure("onnx/invalid-model", `onnx: a nameless or repeated attribute "${name}"`);
      }
      attributes.set(name, attributeFromProto(attribute, place.path));
    });
  }
  return {
    name: proto.name ?? "",
    opType: proto.opType ?? "",
    domain: defaultDomain(proto.domain),
    inputs: proto.inputs ?? [],
    outputs: proto.outputs ?? [],
    attributes,
    ...kept(proto),
  };
}

function attributeFromProto(proto: AttributeProto, path: string): Attribute {
  const rest = kept(proto);
  if (proto.sparseTensor !== undefined || (proto.sparseTensors?.length ?? 0) > 0) {
    throw failure("onnx/unsupported-dtype", "onnx: a sparse tensor; export it with dense weights");
  }
  if ((proto.refAttrName ?? "") !== "") {
    throw failure(
      "onnx/invalid-model",
      `onnx: refers to "${proto.refAttrName}" of a function, outside of one`,
    );
  }
  const type = proto.type ?? impliedType(proto);
  switch (type) {
    case 1:
      return { type: "float", value: proto.f ?? 0, ...rest };
    case 2:
      return { type: "int", value: proto.i ?? 0n, ...rest };
    case 3:
      return { type: "string", value: proto.s ?? new Uint8Array(0), ...rest };
    case 4:
      if (proto.t !== undefined) return { type: "tensor", value: tensorFromProto(proto.t), ...rest };
      break;
    case 5:
      if (proto.g !== undefined)
        return { type: "graph", value: graphFromProto(proto.g, `${path}.g`), ...rest };
      break;
    case 6:
      return { type: "floats", value: proto.floats ?? [], ...rest };
    case 7:
      return { type: "ints", value: proto.ints ?? [], ...rest };
    case 8:
      return { type: "strings", value: proto.strings ?? [], ...rest };
    case 9:
      return { type: "tensors", value: eachAt(`${path}.tensors`, proto.tensors, tensorFromProto), ...rest };
    case 10:
      return { type: "graphs", value: eachAt(`${path}.graphs`, proto.graphs, graphFromProto), ...rest };
    default:
      break;
  }
  return { type: "other", value: type, ...rest };
}

/** Files of IR version 1 carry no attribute type: the field that is there tells it. */
function impliedType(proto: AttributeProto): number {
  if (proto.f !== undefined) return 1;
  if (proto.i !== undefined) return 2;
  if (proto.s !== undefined) return 3;
  if (proto.t !== undefined) return 4;
  if (proto.g !== undefined) return 5;
  if (proto.floats !== undefined) return 6;
  if (proto.ints !== undefined) return 7;
  if (proto.strings !== undefined) return 8;
  if (proto.tensors !== undefined) return 9;
  return proto.graphs === undefined ? 0 : 10;
}

function valueInfoFromProto(proto: ValueInfoProto): ValueInfo {
  const name = proto.name ?? "";
  const tensor = proto.type?.tensorType;
  if (tensor === undefined) {
    const other = proto.type === undefined ? {} : { otherType: proto.type };
    return { name, elementType: "undefined", shape: undefined, ...other, ...kept(proto) };
  }
  return {
    name,
    elementType: elementTypeOf(tensor.elementType ?? 0, `value "${name}"`),
    shape: tensor.shape && (tensor.shape.dims ?? []).map(({ value, param }) => value ?? param ?? ""),
    ...kept(proto),
  };
}

function defaultDomain(domain: string | undefined): string {
  return domain === undefined || domain === "ai.onnx" ? "" : domain;
}
