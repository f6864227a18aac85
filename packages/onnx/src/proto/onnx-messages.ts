import type { FieldSpec, MessageSpec, Preserved, ScalarKind } from "./message.ts";

// The subset of onnx.proto (onnx 1.16 to 1.20, proto2) that this package interprets. Everything else,
// quantization annotations included, is preserved as it came.

export interface EntryProto extends Preserved {
  key?: string;
  value?: string;
}

export interface OperatorSetProto extends Preserved {
  domain?: string;
  version?: number;
}

export interface DimProto extends Preserved {
  value?: number;
  param?: string;
}

export interface ShapeProto extends Preserved {
  dims?: DimProto[];
}

export interface TensorTypeProto extends Preserved {
  elementType?: number;
  shape?: ShapeProto;
}

export interface TypeProto extends Preserved {
  tensorType?: TensorTypeProto;
}

export interface ValueInfoProto extends Preserved {
  name?: string;
  type?: TypeProto;
}

export interface TensorProto extends Preserved {
  dims?: number[];
  dataType?: number;
  floatData?: Uint8Array;
  /** Packed varints, as those below. */
  int32Data?: Uint8Array;
  stringData?: Uint8Array[];
  int64Data?: Uint8Array;
  name?: string;
  rawData?: Uint8Array;
  doubleData?: Uint8Array;
  uint64Data?: Uint8Array;
  externalData?: EntryProto[];
  dataLocation?: number;
}

export interface AttributeProto extends Preserved {
  /** Inside functions: the attribute of the call that stands here. */
  refAttrName?: string;
  sparseTensor?: Uint8Array;
  sparseTensors?: Uint8Array[];
  name?: string;
  f?: number;
  i?: bigint;
  s?: Uint8Array;
  t?: TensorProto;
  g?: GraphProto;
  floats?: number[];
  ints?: bigint[];
  strings?: Uint8Array[];
  tensors?: TensorProto[];
  graphs?: GraphProto[];
  type?: number;
}

export interface NodeProto extends Preserved {
  inputs?: string[];
  outputs?: string[];
  name?: string;
  opType?: string;
  attributes?: AttributeProto[];
  domain?: string;
}

export interface GraphProto extends Preserved {
  nodes?: NodeProto[];
  name?: string;
  initializers?: TensorProto[];
  sparseInitializers?: Uint8Array[];
  inputs?: ValueInfoProto[];
  outputs?: ValueInfoProto[];
  valueInfo?: ValueInfoProto[];
}

export interface FunctionProto extends Preserved {
  name?: string;
  inputs?: string[];
  outputs?: string[];
  attributes?: string[];
  nodes?: NodeProto[];
  opsetImports?: OperatorSetProto[];
  domain?: string;
  defaults?: AttributeProto[];
}

export interface ModelProto extends Preserved {
  functions?: FunctionProto[];
  irVersion?: number;
  producerName?: string;
  producerVersion?: string;
  domain?: string;
  modelVersion?: number;
  graph?: GraphProto;
  opsetImports?: OperatorSetProto[];
  metadata?: EntryProto[];
}

function one(number: number, kind: ScalarKind): FieldSpec {
  return { number, kind };
}

function many(number: number, kind: ScalarKind): FieldSpec {
  return { number, kind, repeated: true };
}

export const EntrySpec: MessageSpec<EntryProto> = {
  name: "StringStringEntryProto",
  fields: { key: one(1, "string"), value: one(2, "string") },
};

const OperatorSetSpec: MessageSpec<OperatorSetProto> = {
  name: "OperatorSetIdProto",
  fields: { domain: one(1, "string"), version: one(2, "int") },
};

const DimSpec: MessageSpec<DimProto> = {
  name: "TensorShapeProto.Dimension",
  fields: { value: one(1, "int"), param: one(2, "string") },
};

const ShapeSpec: MessageSpec<ShapeProto> = {
  name: "TensorShapeProto",
  fields: { dims: { number: 1, kind: () => DimSpec, repeated: true } },
};

const TensorTypeSpec: MessageSpec<TensorTypeProto> = {
  name: "TypeProto.Tensor",
  fields: { elementType: one(1, "int"), shape: { number: 2, kind: () => ShapeSpec } },
};

const TypeSpec: MessageSpec<TypeProto> = {
  name: "TypeProto",
  fields: { tensorType: { number: 1, kind: () => TensorTypeSpec } },
};

const ValueInfoSpec: MessageSpec<ValueInfoProto> = {
  name: "ValueInfoProto",
  fields: { name: one(1, "string"), type: { number: 2, kind: () => TypeSpec } },
};

export const TensorSpec: MessageSpec<TensorProto> = {
  name: "TensorProto",
  fields: {
    dims: many(1, "int"),
    dataType: one(2, "int"),
    floatData: one(4, "floats"),
    int32Data: one(5, "varints"),
    stringData: many(6, "bytes"),
    int64Data: one(7, "longs"),
    name: one(8, "string"),
    rawData: one(9, "bytes"),
    doubleData: one(10, "doubles"),
    uint64Data: one(11, "longs"),
    externalData: { number: 13, kind: () => EntrySpec, repeated: true },
    dataLocation: one(14, "int"),
  },
};

const AttributeSpec: MessageSpec<AttributeProto> = {
  name: "AttributeProto",
  fields: {
    name: one(1, "string"),
    f: one(2, "float"),
    i: one(3, "bigint"),
    s: one(4, "bytes"),
    t: { number: 5, kind: () => TensorSpec },
    g: { number: 6, kind: () => GraphSpec },
    floats: many(7, "float"),
    ints: many(8, "bigint"),
    strings: many(9, "bytes"),
    tensors: { number: 10, kind: () => TensorSpec, repeated: true },
    graphs: { number: 11, kind: () => GraphSpec, repeated: true },
    type: one(20, "int"),
    refAttrName: one(21, "string"),
    sparseTensor: one(22, "bytes"),
    sparseTensors: many(23, "bytes"),
  },
};

const NodeSpec: MessageSpec<NodeProto> = {
  name: "NodeProto",
  fields: {
    inputs: many(1, "string"),
    outputs: many(2, "string"),
    name: one(3, "string"),
    opType: one(4, "string"),
    attributes: { number: 5, kind: () => AttributeSpec, repeated: true },
    domain: one(7, "string"),
  },
};

const GraphSpec: MessageSpec<GraphProto> = {
  name: "GraphProto",
  fields: {
    nodes: { number: 1, kind: () => NodeSpec, repeated: true },
    name: one(2, "string"),
    initializers: { number: 5, kind: () => TensorSpec, repeated: true },
    sparseInitializers: many(15, "bytes"),
    inputs: { number: 11, kind: () => ValueInfoSpec, repeated: true },
    outputs: { number: 12, kind: () => ValueInfoSpec, repeated: true },
    valueInfo: { number: 13, kind: () => ValueInfoSpec, repeated: true },
  },
};

const FunctionSpec: MessageSpec<FunctionProto> = {
  name: "FunctionProto",
  fields: {
    name: one(1, "string"),
    inputs: many(4, "string"),
    outputs: many(5, "string"),
    attributes: many(6, "string"),
    nodes: { number: 7, kind: () => NodeSpec, repeated: true },
    opsetImports: { number: 9, kind: () => OperatorSetSpec, repeated: true },
    domain: one(10, "string"),
    defaults: { number: 11, kind: () => AttributeSpec, repeated: true },
  },
};

export const ModelSpec: MessageSpec<ModelProto> = {
  name: "ModelProto",
  fields: {
    irVersion: one(1, "int"),
    producerName: one(2, "string"),
    producerVersion: one(3, "string"),
    domain: one(4, "string"),
    modelVersion: one(5, "int"),
    graph: { number: 7, kind: () => GraphSpec },
    opsetImports: { number: 8, kind: () => OperatorSetSpec, repeated: true },
    metadata: { number: 14, kind: () => EntrySpec, repeated: true },
    functions: { number: 25, kind: () => FunctionSpec, repeated: true },
  },
};
