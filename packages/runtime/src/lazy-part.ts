import { failure, TributaryError } from "@tributary/core";

/**
 * A part of the runtime that is loaded when it is first asked for. One that could not be loaded is asked for again by the next call.
 *
 * @throws `runtime/part-unavailable`
 */
export interface LazyPart<T> {
  /** Where it is there already. */
  readonly loaded: T | undefined;
  readonly load: () => Promise<T>;
  /** Waits for a load under way; undefined where there is none, or it failed. */
  settled(): Promise<T | undefined>;
}

export function lazyPart<T>(name: string, open: () => Promise<T>): LazyPart<T> {
  let loaded: T | undefined;
  let loading: Promise<T> | undefined;
  return {
    get loaded() {
      return loaded;
    },
    load() {
      loading ??= open().then(
        (part) => (loaded = part),
        (cause: unknown) => {
          loading = undefined;
          // The script was there, and says itself what is wrong.
          if (TributaryError.is(cause)) throw cause;
          throw failure(
            "runtime/part-unavailable",
            `runtime: the script of the ${name} could not be loaded; the next call tries again`,
            { detail: { part: name }, cause },
          );
        },
      );
      return loading;
    },
    settled: async () => await loading?.catch(() => undefined),
  };
}
