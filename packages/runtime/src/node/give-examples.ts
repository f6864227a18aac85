import { join } from "node:path";
import { createSha256, decodeUtf8, encodeUtf8 } from "@tributary/core";
import { exampleOf, inputColumns, type ExampleTable } from "@tributary/engine/examples";
import type { LabelledExample, ModelHandle } from "../runtime.ts";
import { MAX_EXAMPLES } from "../store/device-store.ts";
import { readFileIfAny, writeFileAtomic } from "./atomic-file.ts";

/** A setting of the device: `forget()` erases it with the others. */
const MARKER = join("settings", "given-examples.json");

/**
 * Puts a set of examples on a device, once: a restart finds it there, another set replaces it. Of more than a device
 * keeps (`MAX_EXAMPLES`) the last are taken.
 * @returns how many examples the device has now
 * @throws `dataset/mismatch` where an input of the model has no column, `runtime/invalid-example`
 */
export async function giveExamples(
  model: ModelHandle,
  dataDir: string,
  table: ExampleTable,
): Promise<number> {
  const names = model.state.inputs.map(({ name }) => name);
  const columns = inputColumns(table, names);
  const { count } = table;
  const kept = Math.min(count, MAX_EXAMPLES);
  const fingerprint = fingerprintOf(table);
  const marker = join(dataDir, MARKER);
  const given = await readFileIfAny(marker);
  if (
    given !== undefined &&
    decodeUtf8(given) === JSON.stringify(fingerprint) &&
    (await model.examples.count()) === kept
  ) {
    return kept;
  }
  await model.examples.clear();
  await model.examples.addAll(
    Array.from({ length: kept }, (_, i): LabelledExample => {
      const { inputs, label } = exampleOf(table, columns, count - kept + i);
      return { ...Object.fromEntries(names.map((name, at) => [name, inputs[at]!])), label };
    }),
  );
  await writeFileAtomic(marker, encodeUtf8(JSON.stringify(fingerprint)));
  return await model.examples.count();
}

function fingerprintOf({ inputs, labels }: ExampleTable): string {
  const hash = createSha256();
  const add = (name: string, { buffer, byteOffset, byteLength }: ArrayBufferView): void => {
    hash.update(encodeUtf8(`${name} ${byteLength}\n`));
    hash.update(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
  };
  for (const [name, { data }] of inputs) add(name, data);
  for (const [name, { values }] of labels) add(`labels ${name}`, values);
  return hash.digest();
}
