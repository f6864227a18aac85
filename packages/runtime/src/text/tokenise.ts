import { failure } from "@tributary/core";
import { writeValues } from "@tributary/engine";
import type { GraphPort, TextProcessing } from "@tributary/protocol";
import { allocate, tensor, type Tensor } from "@tributary/tensor";
import type { ModelState } from "../runtime.ts";
import { own } from "../updater/own.ts";
import { isText, type TextInput, type Tokenizer, type Tokenizers, type Tokens } from "./text.ts";

type Ports = Pick<ModelState, "inputs" | "processing">;

/**
 * Values by the names of inputs, with token ids in the place of texts, and mask and segments beside them. Rows are as long as the model
 * says, or else as the longest text.
 *
 * @throws `engine/input-mismatch` for an input that takes no text, `runtime/tokenizer-failed`
 */
export async function tokenise<Value>(
  { inputs, processing }: Ports,
  values: Readonly<Record<string, Value>>,
  tokenizers: Tokenizers,
): Promise<Record<string, Exclude<Value, TextInput> | Tensor>> {
  const read: Record<string, Exclude<Value, TextInput> | Tensor> = {};
  for (const [name, value] of Object.entries(values)) {
    if (!isText(value)) {
      // A tokenizer may take its time.
      read[name] = own(value) as Exclude<Value, TextInput>;
      continue;
    }
    const port = inputs.find((each) => each.name === name);
    const how = processing?.inputs?.[name];
    if (port === undefined || how?.kind !== "text") throw notForText(name, port);
    Object.assign(read, await tokensOf(inputs, port, how, value, tokenizers));
  }
  return read;
}

async function tokensOf(
  inputs: readonly GraphPort[],
  port: GraphPort,
  how: TextProcessing,
  value: TextInput,
  tokenizers: Tokenizers,
): Promise<Record<string, Tensor>> {
  const tokenizer = Object.hasOwn(tokenizers, how.tokenizer) ? tokenizers[how.tokenizer] : undefined;
  if (tokenizer === undefined) {
    throw failed(port.name, how, `the app has none of this name; pass it to createRuntime({ tokenizers })`);
  }
  const texts = typeof value === "string" ? [value] : value;
  const rows: Tokens[] = [];
  for (const text of texts) rows.push(await rowOf(port.name, how, tokenizer, text));
  const [, fixed = -1] = port.shape;
  const width = fixed >= 0 ? fixed : Math.max(1, ...rows.map(({ ids }) => ids.length));
  const { mask, typeIds, padId = 0 } = how;
  const column = (name: string, pick: (row: Tokens, at: number) => number | bigint): [string, Tensor] => {
    const { dtype } = inputs.find((each) => each.name === name)!;
    const cells = rows.flatMap((row) => Array.from({ length: width }, (_, at) => pick(row, at)));
    const data = allocate(dtype, cells.length);
    const wide = dtype === "int64" ? cells.map(BigInt) : cells.map(Number);
    const wrong = writeValues(dtype, data, 0, wide);
    if (wrong !== undefined) throw failed(port.name, how, `"${String(cells[wrong])}" is no token`);
    return [name, tensor(dtype, [rows.length, width], data)];
  };
  return Object.fromEntries([
    column(port.name, ({ ids }, at) => ids[at] ?? padId),
    ...(mask === undefined ? [] : [column(mask, ({ ids }, at) => (at < ids.length ? 1 : 0))]),
    ...(typeIds === undefined ? [] : [column(typeIds, ({ typeIds: types }, at) => types?.[at] ?? 0)]),
  ]);
}

async function rowOf(
  input: string,
  how: TextProcessing,
  tokenizer: Tokenizer,
  text: string,
): Promise<Tokens> {
  const { maxTokens } = how;
  if (typeof text !== "string") throw failed(input, how, `texts are strings, got ${typeof text}`);
  let given: Awaited<ReturnType<Tokenizer>>;
  try {
    given = await tokenizer(text, { maxTokens });
  } catch (cause) {
    throw failed(input, how, cause instanceof Error ? cause.message : String(cause), cause);
  }
  const { ids, typeIds }: Tokens = "ids" in given ? given : { ids: given };
  const isToken = (id: number | bigint): boolean =>
    typeof id === "bigint" ? id >= 0n : Number.isSafeInteger(id) && id >= 0;
  const all = Array.from(ids);
  const wrong = all.find((id) => !isToken(id));
  if (wrong !== undefined)
    throw failed(input, how, `token ids are whole numbers from 0, got ${String(wrong)}`);
  if (typeIds !== undefined && typeIds.length !== all.length) {
    throw failed(input, how, `it gave ${all.length} ids and ${typeIds.length} type ids`);
  }
  return { ids: all.slice(0, maxTokens), ...(typeIds === undefined ? {} : { typeIds }) };
}

function failed(input: string, { tokenizer }: TextProcessing, why: string, cause?: unknown): Error {
  return failure(
    "runtime/tokenizer-failed",
    `run: input "${input}" is for tokenizer "${tokenizer}": ${why}`,
    {
      detail: { input, tokenizer },
      cause,
    },
  );
}

function notForText(name: string, port: GraphPort | undefined): Error {
  const takes = port === undefined ? "is none of the model's" : `takes ${port.dtype} [${port.shape.join()}]`;
  return failure(
    "engine/input-mismatch",
    `run: input "${name}" ${takes}; how a text becomes that was not published with the model (processing)`,
    { detail: { input: name, got: "a text" } },
  );
}
