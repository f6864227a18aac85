import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ModelName, TaskName } from "@tributary/core";
import type { ControlStore } from "../store/device-store.ts";
import { readFileIfAny, removeFile, writeFileAtomic } from "./atomic-file.ts";

/** One file for each task on a model. */
export function createFileControls(directory: string): ControlStore {
  const prefixOf = (model: ModelName): string => `${model}@`;
  const fileOf = (model: ModelName, task: TaskName): string =>
    join(directory, `${prefixOf(model)}${task}.safetensors`);
  return {
    read: (model, task) => readFileIfAny(fileOf(model, task)),
    write: (model, task, bytes) => writeFileAtomic(fileOf(model, task), bytes),
    async clear(model) {
      const names = await readdir(directory);
      for (const name of names) if (name.startsWith(prefixOf(model))) await removeFile(join(directory, name));
    },
    async list() {
      const names = (await readdir(directory)).filter((name) => !name.startsWith("."));
      return await Promise.all(
        names.map(async (name) => ({
          model: name.slice(0, name.indexOf("@")) as ModelName,
          sizeBytes: (await stat(join(directory, name))).size,
        })),
      );
    },
  };
}
