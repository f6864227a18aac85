import { failure } from "@tributary/core";
import type {
  AttributeProto,
  GraphProto,
  ModelProto,
  NodeProto,
  TensorProto,
} from "../proto/onnx-messages.ts";

/** Reads a file beside the model, by its path relative to the model's folder. */
export type ExternalReader = (location: string) => Promise<Uint8Array> | Uint8Array;

const EXTERNAL = 1;
const LONGEST_LOCATION = 1024;

/** Whether a tensor keeps its data in another file. */
export function isExternal(tensor: TensorProto): boolean {
  return tensor.dataLocation === EXTERNAL || (tensor.externalData?.length ?? 0) > 0;
}

/**
 * Brings external data into the tensors of a model, as views on what `read` gives; every file is read
 * once. Paths that leave the model's folder are refused. Errors: `onnx/external-data`.
 */
export async function loadExternalData(model: ModelProto, read: ExternalReader): Promise<void> {
  const files = new Map<string, Uint8Array>();
  for (const tensor of tensorsOf(model)) {
    if (!isExternal(tensor)) continue;
    const reference = referenceOf(tensor);
    let file = files.get(reference.location);
    if (file === undefined) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other bounds what is held at once
      const bytes = await read(reference.location);
      file = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      files.set(reference.location, file);
    }
    tensor.rawData = partOf(tensor, file, reference);
    delete tensor.externalData;
    delete tensor.dataLocation;
  }
}

interface Reference {
  readonly location: string;
  readonly offset: number;
  /** undefined: to the end of the file. */
  readonly length: number | undefined;
}

function referenceOf(tensor: TensorProto): Reference {
  const entries = new Map((tensor.externalData ?? []).map(({ key, value }) => [key ?? "", value ?? ""]));
  const location = entries.get("location") ?? "";
  if (!staysInFolder(location)) {
    throw invalid(tensor, `the location "${location.slice(0, 80)}" is not a path inside the model's folder`);
  }
  const number = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    if (!/^\d{1,15}$/u.test(text))
      throw invalid(tensor, `${key} "${text.slice(0, 40)}" is not a number of bytes`);
    return Number(text);
  };
  return { location, offset: number("offset") ?? 0, length: number("length") };
}

/** Relative, with forward slashes, without "..", drive, scheme or control characters. */
export function staysInFolder(location: string): boolean {
  if (location === "" || location.length > LONGEST_LOCATION) return false;
  if (/[\\:\p{Cc}%]/u.test(location) || location.startsWith("/")) return false;
  return location.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

function partOf(tensor: TensorProto, file: Uint8Array, { location, offset, length }: Reference): Uint8Array {
  const end = length === undefined ? file.length : offset + length;
  if (offset > file.length || end > file.length) {
    throw invalid(tensor, `bytes ${offset} to ${end} of "${location}", which has ${file.length}`);
  }
  return file.subarray(offset, end);
}

function invalid(tensor: TensorProto, text: string): Error {
  return failure("onnx/external-data", `onnx: tensor "${tensor.name ?? ""}": ${text}`);
}

function* tensorsOf({ graph, functions }: ModelProto): Generator<TensorProto> {
  if (graph !== undefined) yield* tensorsOfGraph(graph);
  for (const { nodes, defaults } of functions ?? []) {
    yield* tensorsOfNodes(nodes ?? []);
    yield* tensorsOfAttributes(defaults ?? []);
  }
}

function* tensorsOfGraph({ initializers, nodes }: GraphProto): Generator<TensorProto> {
  yield* initializers ?? [];
  yield* tensorsOfNodes(nodes ?? []);
}

function* tensorsOfNodes(nodes: readonly NodeProto[]): Generator<TensorProto> {
  for (const { attributes } of nodes) yield* tensorsOfAttributes(attributes ?? []);
}

function* tensorsOfAttributes(attributes: readonly AttributeProto[]): Generator<TensorProto> {
  for (const { t, g, tensors, graphs } of attributes) {
    if (t !== undefined) yield t;
    yield* tensors ?? [];
    for (const graph of [...(g === undefined ? [] : [g]), ...(graphs ?? [])]) yield* tensorsOfGraph(graph);
  }
}
