import type { TensorProto } from "../proto/onnx-messages.ts";
import { ModelSpec } from "../proto/onnx-messages.ts";
import { writeMessage } from "../proto/write-message.ts";
import { modelToProto } from "./encode.ts";
import { staysInFolder } from "./external-data.ts";
import type { Model } from "./model.ts";

/** Readers map files into memory by pages of this size. */
const PAGE = 4096;

export interface WriteModelOptions {
  /** Puts large weights into a file beside the model. */
  readonly externalData?: {
    /** Path of that file relative to the model's folder, such as `model.onnx.data`. */
    readonly location: string;
    /** Smaller tensors stay in the model. @defaultValue 16 384 */
    readonly smallestBytes?: number;
  };
}

export interface WrittenModel {
  readonly model: Uint8Array<ArrayBuffer>;
  /** The other file, to be written part after part: weights are views, not copies. Empty without external data. */
  readonly externalData: readonly Uint8Array[];
}

/**
 * Writes an ONNX file, its weights in it or beside it; the same model always gives the same bytes. `readModel` is the
 * inverse. Errors: TypeError where the location leaves the model's folder.
 */
export function writeModel(model: Model, { externalData }: WriteModelOptions = {}): WrittenModel {
  const proto = modelToProto(model);
  if (externalData === undefined || proto.graph === undefined) {
    return { model: writeMessage(ModelSpec, proto), externalData: [] };
  }
  const { location, smallestBytes = 16_384 } = externalData;
  if (!staysInFolder(location)) {
    throw new TypeError(
      `writeModel: externalData.location must be a path inside the folder, got "${location}"`,
    );
  }
  const parts: Uint8Array[] = [];
  let offset = 0;
  const outside = ({ rawData, ...tensor }: TensorProto): TensorProto => {
    if (rawData === undefined || rawData.length < smallestBytes) {
      return rawData === undefined ? tensor : { ...tensor, rawData };
    }
    const gap = (PAGE - (offset % PAGE)) % PAGE;
    if (gap > 0) parts.push(new Uint8Array(gap));
    parts.push(rawData);
    const entries = { location, offset: String(offset + gap), length: String(rawData.length) };
    offset += gap + rawData.length;
    return {
      ...tensor,
      dataLocation: 1,
      externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
    };
  };
  const graph = { ...proto.graph, initializers: (proto.graph.initializers ?? []).map(outside) };
  return { model: writeMessage(ModelSpec, { ...proto, graph }), externalData: parts };
}
