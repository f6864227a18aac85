import { appendFile, readdir, truncate } from "node:fs/promises";
import { join } from "node:path";
import { failure, type ModelName } from "@tributary/core";
import type { ExamplePage, ExamplePageStore } from "../store/device-store.ts";
import { completeBytes, decodePages, encodePages } from "../store/example-records.ts";
import { readFileIfAny, removeFile, storeFailure, writeFileAtomic } from "./atomic-file.ts";

const SUFFIX = ".examples";

/**
 * One file of records a model. It grows by appending, and is written anew where pages go; what a crash tore off the end is cut
 * away.
 */
export function createFileExamples(directory: string): ExamplePageStore {
  /** The ids of a file's pages, once it was looked at. Ids are not given twice while this process lives. */
  const known = new Map<ModelName, { ids: readonly number[]; next: number }>();
  let tail: Promise<unknown> = Promise.resolve();
  const inOrder = <T>(task: () => Promise<T>): Promise<T> => {
    const result = tail.then(task);
    tail = result.catch(() => undefined);
    return result;
  };
  const fileOf = (model: ModelName): string => join(directory, model + SUFFIX);

  /** Repairs the end of the file, once per model and start. */
  const look = async (model: ModelName): Promise<{ ids: readonly number[]; next: number }> => {
    const seen = known.get(model);
    if (seen !== undefined) return seen;
    const bytes = (await readFileIfAny(fileOf(model))) ?? new Uint8Array(0);
    const complete = completeBytes(bytes);
    if (complete < bytes.length) await truncate(fileOf(model), complete);
    const ids = decoded(fileOf(model), bytes).map(({ id }) => id);
    const found = { ids, next: Math.max(0, ...ids) + 1 };
    known.set(model, found);
    return found;
  };

  const readAll = async (model: ModelName): Promise<readonly ExamplePage[]> => {
    const path = fileOf(model);
    const bytes = await readFileIfAny(path);
    return bytes === undefined ? [] : decoded(path, bytes);
  };

  return {
    models: () =>
      inOrder(async () =>
        (await readdir(directory))
          .filter((name) => name.endsWith(SUFFIX) && !name.startsWith("."))
          .map((name) => name.slice(0, -SUFFIX.length) as ModelName),
      ),
    ids: (model) => inOrder(async () => (await look(model)).ids),
    read: (model, ids) =>
      inOrder(async () => {
        await look(model);
        const pages = await readAll(model);
        if (ids === undefined) return pages;
        const wanted = new Set(ids);
        return pages.filter(({ id }) => wanted.has(id));
      }),
    change: (model, { add, remove }) =>
      inOrder(async () => {
        const { ids, next } = await look(model);
        const path = fileOf(model);
        const added = add.map((sealed, at) => ({ id: next + at, sealed }));
        const gone = new Set(remove);
        const left = ids.filter((id) => !gone.has(id));
        try {
          if (left.length === ids.length) {
            await appendFile(path, encodePages(added), { mode: 0o600, flush: true });
          } else {
            const kept = (await readAll(model)).filter(({ id }) => !gone.has(id));
            await writeFileAtomic(path, encodePages([...sealedOf(path, kept), ...added]));
          }
        } catch (error) {
          known.delete(model);
          throw storeFailure("write", path, error);
        }
        known.set(model, { ids: [...left, ...added.map(({ id }) => id)], next: next + added.length });
        return added.map(({ id }) => id);
      }),
    clear: (model) =>
      inOrder(async () => {
        await removeFile(fileOf(model));
        known.set(model, { ids: [], next: known.get(model)?.next ?? 1 });
      }),
  };
}

/** Those that stay. Unsealed ones go all at once, when they are sealed. */
function sealedOf(path: string, pages: readonly ExamplePage[]): { id: number; sealed: Uint8Array }[] {
  return pages.map((page) => {
    if ("sealed" in page) return page;
    throw damaged(path);
  });
}

function decoded(path: string, bytes: Uint8Array): ExamplePage[] {
  try {
    return decodePages(bytes);
  } catch (cause) {
    throw damaged(path, cause);
  }
}

function damaged(path: string, cause?: unknown): Error {
  return failure(
    "store/corrupt",
    `store: ${path} holds a record that is none; examples.clear() begins anew`,
    { detail: { path }, ...(cause === undefined ? {} : { cause }) },
  );
}
