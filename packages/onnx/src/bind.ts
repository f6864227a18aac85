import { concatBytes, failure } from "@tributary/core";
import type { ParameterSet } from "@tributary/tensor";
import { parameterView } from "@tributary/tensor";
import { PARAMETERS_KEY, readParameterList } from "./parameter-list.ts";
import { WIRE, WireReader } from "./proto/wire-reader.ts";
import { WireWriter } from "./proto/wire-writer.ts";

// Field numbers of ModelProto, GraphProto, StringStringEntryProto and TensorProto. Pages bind weights, and so ship no schemas of messages.
const MODEL_GRAPH = 7;
const MODEL_METADATA = 14;
const GRAPH_INITIALIZER = 5;
const ENTRY = { key: 1, value: 2 } as const;
const TENSOR = { dims: 1, dataType: 2, name: 8, rawData: 9 } as const;
const FLOAT = 1;

/**
 * Puts parameters back into a graph made by splitWeights: a complete ONNX file. Works on the bytes, so
 * that pages need no model decoder. Errors: `tensor/schema-mismatch` where the parameters are not the
 * graph's, `onnx/invalid-model`, `onnx/truncated`.
 */
export function bindWeights(graph: Uint8Array, parameters: ParameterSet): Uint8Array<ArrayBuffer> {
  const { fieldStart, body, metadata } = scanModel(graph);
  checkSchema(metadata, parameters);
  const added = new WireWriter(parameters.values.byteLength + 1024);
  for (const { name, shape } of parameters.schema) {
    const values = parameterView(parameters, name);
    const rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const head = new WireWriter();
    for (const size of shape) {
      head.tag(TENSOR.dims, WIRE.varint);
      head.varint(size);
    }
    head.tag(TENSOR.dataType, WIRE.varint);
    head.varint(FLOAT);
    head.textField(TENSOR.name, name);
    head.tag(TENSOR.rawData, WIRE.bytes);
    head.varint(rawData.length);
    added.tag(GRAPH_INITIALIZER, WIRE.bytes);
    added.varint(head.view().length + rawData.length);
    added.raw(head.view());
    added.raw(rawData);
  }
  const initializers = added.view();
  const head = new WireWriter(16);
  head.tag(MODEL_GRAPH, WIRE.bytes);
  head.varint(body.length + initializers.length);
  const end = body.byteOffset - graph.byteOffset + body.length;
  return concatBytes(graph.subarray(0, fieldStart), head.view(), body, initializers, graph.subarray(end));
}

/** A metadata entry of a model; undefined where it has none of that key. Errors: `onnx/invalid-model`, `onnx/truncated`. */
export function readMetadata(model: Uint8Array, wanted: string): string | undefined {
  return scanModel(model, wanted).metadata;
}

interface ModelScan {
  /** Where the graph field's tag begins. */
  readonly fieldStart: number;
  readonly body: Uint8Array;
  /** Value of the metadata entry that was asked for, if there is one. */
  readonly metadata: string | undefined;
}

function scanModel(bytes: Uint8Array, wanted = PARAMETERS_KEY): ModelScan {
  const reader = new WireReader(bytes);
  let fieldStart = -1;
  let body: Uint8Array | undefined;
  let metadata: string | undefined;
  while (!reader.done) {
    const start = reader.position;
    const key = reader.tag();
    const [number, wireType] = [key >>> 3, key & 7];
    if (number === MODEL_GRAPH && wireType === WIRE.bytes) {
      if (body !== undefined) throw failure("onnx/invalid-model", "onnx: two graphs in one file");
      fieldStart = start;
      body = reader.payload();
    } else if (number === MODEL_METADATA && wireType === WIRE.bytes) {
      const entry = readEntry(reader.payload());
      if (entry.key === wanted) metadata = entry.value;
    } else {
      reader.skip(wireType);
    }
  }
  if (body === undefined) throw failure("onnx/invalid-model", "onnx: no graph in the file");
  return { fieldStart, body, metadata };
}

function readEntry(bytes: Uint8Array): { readonly key: string; readonly value: string } {
  const reader = new WireReader(bytes);
  const entry = { key: "", value: "" };
  while (!reader.done) {
    const tag = reader.tag();
    const [number, wireType] = [tag >>> 3, tag & 7];
    if (wireType === WIRE.bytes && number === ENTRY.key) entry.key = reader.text();
    else if (wireType === WIRE.bytes && number === ENTRY.value) entry.value = reader.text();
    else reader.skip(wireType);
  }
  return entry;
}

function checkSchema(metadata: string | undefined, { schema }: ParameterSet): void {
  if (metadata === undefined) {
    throw failure(
      "onnx/invalid-model",
      `onnx: no ${PARAMETERS_KEY} in the metadata; only graphs made by splitWeights take parameters`,
    );
  }
  const expected = readParameterList(metadata);
  const text = (name: string, shape: readonly number[]): string => `${name} [${shape.join(",")}]`;
  const count = Math.max(expected.length, schema.length);
  for (let i = 0; i < count; i += 1) {
    const [want, got] = [expected[i], schema[i]];
    const wantText = want === undefined ? "none" : text(want.name, want.shape);
    const gotText = got === undefined ? "none" : text(got.name, got.shape);
    if (wantText !== gotText) {
      throw failure(
        "tensor/schema-mismatch",
        `onnx: parameter ${i} of the graph is ${wantText}, got ${gotText}`,
      );
    }
  }
}
