import type { TypeProto } from "../proto/onnx-messages.ts";
import type { Preserved } from "../proto/message.ts";
import type { ElementType } from "./element-type.ts";

/** A size, the name of a symbolic size (`dim_param`), or "" where nothing is known. */
export type Dim = number | string;

export interface Model extends Preserved {
  readonly irVersion: number;
  readonly producerName: string;
  readonly producerVersion: string;
  readonly domain: string;
  readonly modelVersion: number;
  /** The default domain is "" (never "ai.onnx"). */
  readonly opsetImports: readonly OpsetImport[];
  readonly metadata: readonly MetadataEntry[];
  readonly graph: Graph;
}

export interface OpsetImport {
  readonly domain: string;
  readonly version: number;
}

export interface MetadataEntry {
  readonly key: string;
  readonly value: string;
}

export interface Graph extends Preserved {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly initializers: readonly TensorValue[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly valueInfo: readonly ValueInfo[];
}

export interface Node extends Preserved {
  readonly name: string;
  readonly opType: string;
  readonly domain: string;
  /** "" stands for an optional input that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** A constant tensor: little-endian elements as in `raw_data`, or byte strings. */
export interface TensorValue extends Preserved {
  readonly name: string;
  readonly elementType: ElementType;
  readonly dims: readonly number[];
  readonly data: Uint8Array;
  readonly strings?: readonly Uint8Array[];
}

export interface ValueInfo extends Preserved {
  readonly name: string;
  readonly elementType: ElementType;
  /** undefined: not even the rank is known. */
  readonly shape: readonly Dim[] | undefined;
  /** Sequences, maps and other types that are not tensors, kept as they came. */
  readonly otherType?: TypeProto;
}

export type Attribute = Preserved &
  (
    | { readonly type: "float"; readonly value: number }
    | { readonly type: "int"; readonly value: bigint }
    | { readonly type: "string"; readonly value: Uint8Array }
    | { readonly type: "tensor"; readonly value: TensorValue }
    | { readonly type: "graph"; readonly value: Graph }
    | { readonly type: "floats"; readonly value: readonly number[] }
    | { readonly type: "ints"; readonly value: readonly bigint[] }
    | { readonly type: "strings"; readonly value: readonly Uint8Array[] }
    | { readonly type: "tensors"; readonly value: readonly TensorValue[] }
    | { readonly type: "graphs"; readonly value: readonly Graph[] }
    /** Sparse tensors, types, references inside functions: preserved, not interpreted. */
    | { readonly type: "other"; readonly value: number }
  );
