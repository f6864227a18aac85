import type { ModelName, TaskName } from "@tributary/core";
import type { ControlStore } from "../store/device-store.ts";

/** What is kept of one task, as one round sees it. */
export interface KeptControl {
  read(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Nothing, where it was cleared since the round began: what a device was told to forget does not come back. */
  write(bytes: Uint8Array): Promise<void>;
}

export interface KeptControls {
  open(model: ModelName, task: TaskName): KeptControl;
  /** Those of all tasks on a model. */
  clear(model: ModelName): Promise<void>;
}

/** Control variates in the order in which they are written and cleared. */
export function createKeptControls(store: ControlStore): KeptControls {
  let tail: Promise<unknown> = Promise.resolve();
  const inOrder = <T>(run: () => Promise<T>): Promise<T> => {
    const result = tail.then(run);
    tail = result.catch(() => undefined);
    return result;
  };
  const cleared = new Map<ModelName, number>();
  const timesCleared = (model: ModelName): number => cleared.get(model) ?? 0;
  return {
    open(model, task) {
      const opened = timesCleared(model);
      return {
        read: () => inOrder(() => store.read(model, task)),
        write: (bytes) =>
          inOrder(async () => {
            if (timesCleared(model) === opened) await store.write(model, task, bytes);
          }),
      };
    },
    clear(model) {
      cleared.set(model, timesCleared(model) + 1);
      return inOrder(() => store.clear(model));
    },
  };
}
