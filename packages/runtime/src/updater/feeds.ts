import { failure } from "@tributary/core";
import { checkFeeds, writeValues } from "@tributary/engine";
import type { GraphPort } from "@tributary/protocol";
import { allocate, elementCount, tensor, type Tensor, type TensorData } from "@tributary/tensor";
import type { FeedValue } from "../runtime.ts";

/**
 * What an app feeds, by the names of the inputs, as tensors that fit them.
 *
 * @param memory - "own": the tensors are copies; "given": they may use the app's memory, which it does not touch any more
 * @throws `engine/missing-input`, `engine/unknown-input`, `engine/input-mismatch`
 */
export function toFeeds(
  ports: readonly GraphPort[],
  values: Readonly<Record<string, FeedValue>>,
  memory: "own" | "given" = "own",
): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  let first: { readonly name: string; readonly batch: number } | undefined;
  for (const [name, value] of Object.entries(values)) {
    const port = ports.find((each) => each.name === name);
    if (isTensor(value)) feeds[name] = value; // copied below, once it is known to fit
    else if (port === undefined) feeds[name] = NOTHING; // refused below, with the names there are
    else {
      const feed = flatFeed(port, value, memory);
      const batch = feed.shape[0]!;
      first ??= { name, batch };
      if (batch !== first.batch) {
        throw mismatch(port, `${first.batch} rows, as "${first.name}" has`, `${batch}`);
      }
      feeds[name] = feed;
    }
  }
  const inputs = ports.map(({ name, dtype, shape }) => ({
    name,
    dtype,
    shape: shape.map((size) => (size < 0 ? null : size)),
  }));
  checkFeeds("run", inputs, [], feeds, undefined);
  if (memory === "own") {
    for (const [name, value] of Object.entries(values)) {
      if (isTensor(value)) feeds[name] = { ...value, data: value.data.slice() as TensorData };
    }
  }
  return feeds;
}

const NOTHING = tensor("float32", [0], new Float32Array(0));

export function isTensor(value: FeedValue): value is Tensor {
  return typeof value === "object" && value !== null && "dtype" in value;
}

/** Flat values: the batch follows from their length. */
function flatFeed(port: GraphPort, value: Exclude<FeedValue, Tensor>, memory: "own" | "given"): Tensor {
  const { dtype, shape } = port;
  const rowShape = shape.slice(1);
  if (typeof value !== "object" || value === null || !("length" in value)) {
    throw mismatch(port, "a tensor or flat values", typeof value);
  }
  if (shape.length === 0 || rowShape.some((size) => size <= 0)) {
    throw mismatch(
      port,
      `a tensor { dtype: "${dtype}", shape, data }, because only the first dimension of [${shape.join()}] can follow from flat values`,
      `${value.length} flat values`,
    );
  }
  const rowLength = elementCount(rowShape);
  const batch = value.length / rowLength;
  if (!Number.isInteger(batch) || batch < 1 || (shape[0]! >= 0 && batch !== shape[0])) {
    const wanted = shape[0]! >= 0 ? `${shape[0]! * rowLength} values` : `multiples of ${rowLength} values`;
    throw mismatch(port, `${wanted} (shape [${shape.join()}])`, `${value.length}`);
  }
  if (dtype === "float32" && value instanceof Float32Array) {
    const floats = memory === "given" ? (value as Float32Array<ArrayBuffer>) : value.slice();
    return tensor(dtype, [batch, ...rowShape], floats);
  }
  const data = allocate(dtype, value.length);
  const wrong = writeValues(dtype, data, 0, value);
  if (wrong !== undefined)
    throw mismatch(port, `${dtype} values`, `${String(value[wrong])} at index ${wrong}`);
  return tensor(dtype, [batch, ...rowShape], data);
}

function mismatch({ name }: GraphPort, expected: string, got: string): Error {
  return failure("engine/input-mismatch", `run: input "${name}" takes ${expected}, got ${got}`, {
    detail: { input: name, expected, got },
  });
}
