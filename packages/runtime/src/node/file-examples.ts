import { appendFile, truncate } from "node:fs/promises";
import { join } from "node:path";
import { failure, type ModelName } from "@tributary/core";
import { MAX_EXAMPLES, type ExampleStore, type StoredExample } from "../store/device-store.ts";
import { completeBytes, decodeExamples, encodeExamples, recordOffsets } from "../store/example-records.ts";
import { readFileIfAny, removeFile, storeFailure, writeFileAtomic } from "./atomic-file.ts";

/** One file of records a model, which grows by appending; what a crash tore off the end is cut away. */
export function createFileExamples(directory: string): ExampleStore {
  const counts = new Map<ModelName, number>();
  let tail: Promise<unknown> = Promise.resolve();
  const inOrder = <T>(task: () => Promise<T>): Promise<T> => {
    const result = tail.then(task);
    tail = result.catch(() => undefined);
    return result;
  };
  const fileOf = (model: ModelName): string => join(directory, `${model}.examples`);

  /** Counts the records and repairs the end of the file, once per model and start. */
  const countOf = async (model: ModelName): Promise<number> => {
    const known = counts.get(model);
    if (known !== undefined) return known;
    const bytes = (await readFileIfAny(fileOf(model))) ?? new Uint8Array(0);
    const complete = completeBytes(bytes);
    if (complete < bytes.length) await truncate(fileOf(model), complete);
    const count = recordOffsets(bytes).length;
    counts.set(model, count);
    return count;
  };

  return {
    add: (model, examples) =>
      inOrder(async () => {
        const count = await countOf(model);
        const path = fileOf(model);
        if (count + examples.length > MAX_EXAMPLES) {
          const kept = (await readAll(path)).concat(examples).slice(-MAX_EXAMPLES);
          await writeFileAtomic(path, encodeExamples(kept));
          counts.set(model, kept.length);
          return;
        }
        try {
          await appendFile(path, encodeExamples(examples), { mode: 0o600, flush: true });
        } catch (error) {
          counts.delete(model);
          throw storeFailure("append to", path, error);
        }
        counts.set(model, count + examples.length);
      }),
    count: (model) => inOrder(() => countOf(model)),
    read: (model) => inOrder(() => readAll(fileOf(model))),
    clear: (model) =>
      inOrder(async () => {
        await removeFile(fileOf(model));
        counts.set(model, 0);
      }),
  };
}

async function readAll(path: string): Promise<StoredExample[]> {
  const bytes = await readFileIfAny(path);
  if (bytes === undefined) return [];
  try {
    return decodeExamples(bytes);
  } catch (cause) {
    throw failure(
      "store/corrupt",
      `store: ${path} holds a record that is none; examples.clear() begins anew`,
      {
        detail: { path },
        cause,
      },
    );
  }
}
