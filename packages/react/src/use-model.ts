import type { DownloadProgress, ModelHandle, ModelOptions, ModelState, Runtime } from "@tributary/runtime";
import { useEffect, useState } from "react";

export type UseModelOptions = Pick<ModelOptions, "channel" | "update">;

export interface UsedModel {
  /** Undefined until the model is here. */
  readonly model: ModelHandle | undefined;
  /** What runs now: another object for each version. */
  readonly state: ModelState | undefined;
  /** Of the download under way. */
  readonly progress: DownloadProgress | undefined;
  /** Why the model could not be opened. */
  readonly error: Error | undefined;
}

const NOTHING: UsedModel = { model: undefined, state: undefined, progress: undefined, error: undefined };

/**
 * Opens a model while the component is mounted, and follows its releases.
 *
 * @param runtime - Undefined while `createRuntime` is under way: nothing is opened then.
 * @param name - The model's name; another one closes the first.
 */
export function useModel(
  runtime: Runtime | undefined,
  name: string,
  { channel, update }: UseModelOptions = {},
): UsedModel {
  const [used, setUsed] = useState(NOTHING);
  useEffect(() => {
    setUsed(NOTHING);
    if (runtime === undefined) return undefined;
    const ended = new AbortController();
    const { signal } = ended;
    const open = async (): Promise<void> => {
      const model = await runtime.model(name, {
        ...(channel === undefined ? {} : { channel }),
        ...(update === undefined ? {} : { update }),
        signal,
        onProgress: (progress) => {
          if (!signal.aborted) setUsed((last) => ({ ...last, progress }));
        },
      });
      try {
        const events = runtime.events({ signal });
        setUsed({ ...NOTHING, model, state: model.state });
        for await (const event of events) {
          if (event.type !== "running" && event.type !== "engine-changed") continue;
          if (event.model !== name) continue;
          setUsed((last) => ({ ...last, state: event.state, progress: undefined }));
        }
      } finally {
        await model.close();
      }
    };
    open().catch((reason: unknown) => {
      if (signal.aborted) return;
      setUsed((last) => ({ ...last, error: reason instanceof Error ? reason : new Error(String(reason)) }));
    });
    return () => ended.abort();
  }, [runtime, name, channel, update]);
  return used;
}
