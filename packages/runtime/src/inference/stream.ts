/** Inference over a source that goes on: camera frames, lines of a file, whatever is iterated. */
import { abortable } from "@tributary/core";
import type { Inference } from "../runtime.ts";

export interface StreamOptions {
  /** Ends the stream: the iteration rejects with its reason. */
  readonly signal?: AbortSignal;
  /**
   * Most values that are taken from the source before their answers were, 1 to 256. It is asked for no more meanwhile: a slow model
   * slows its source down, and a camera drops frames. Values that are at hand together may share a run.
   *
   * @defaultValue 2
   */
  readonly ahead?: number;
}

/** What can be iterated, and a `ReadableStream` also where browsers do not iterate it. */
export type StreamSource<T> = AsyncIterable<T> | Iterable<T> | ReadableStream<T>;

/** Answers in the order of the values. Leaving the loop ends the source and drops what is under way. */
export async function* inferenceStream<T>(
  source: StreamSource<T>,
  run: (value: T, signal: AbortSignal) => Promise<Inference>,
  { signal, ahead = 2 }: StreamOptions = {},
): AsyncGenerator<Inference, void, void> {
  if (!Number.isSafeInteger(ahead) || ahead < 1 || ahead > 256) {
    throw new RangeError(`stream: ahead must be an integer in [1, 256], got ${ahead}`);
  }
  signal?.throwIfAborted();
  const over = new AbortController();
  const onAbort = (): void => over.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  const iterator = iteratorOf(source);
  const answers: Promise<Inference>[] = [];
  let waiting: (() => void)[] = [];
  let end: { readonly error?: unknown } | undefined;
  const change = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  const changed = (): void => {
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  };

  const pump = async (): Promise<void> => {
    for (;;) {
      while (answers.length >= ahead && !over.signal.aborted) await change();
      if (over.signal.aborted) return;
      const next = await iterator.next();
      if (next.done === true) return;
      if (over.signal.aborted) return letGo(next.value);
      const answer = run(next.value, over.signal);
      answer.catch(() => undefined); // thrown when its turn comes
      answers.push(answer);
      changed();
    }
  };
  pump()
    .then(
      () => (end = {}),
      (error: unknown) => (end = { error }),
    )
    .finally(changed);

  try {
    for (;;) {
      const [first] = answers;
      if (first !== undefined) {
        const answer = await abortable(first, over.signal);
        void answers.shift();
        changed();
        yield answer;
      } else if (end === undefined) await abortable(change(), over.signal);
      else if ("error" in end) throw end.error;
      else return;
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    over.abort(new DOMException("The stream was left.", "AbortError"));
    changed();
    // Not awaited: a generator that waits for its next value ends only after it.
    Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

function iteratorOf<T>(source: StreamSource<T>): AsyncIterator<T> | Iterator<T> {
  if (Symbol.asyncIterator in source && source[Symbol.asyncIterator] !== undefined) {
    return source[Symbol.asyncIterator]();
  }
  if (Symbol.iterator in source) return source[Symbol.iterator]();
  const reader = (source as ReadableStream<T>).getReader();
  return {
    next: async () => (await reader.read()) as IteratorResult<T>,
    async return() {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}

/** Camera frames are few: one that nobody reads has to be given back. */
function letGo(value: unknown): void {
  if (typeof value === "object" && value !== null && "close" in value && typeof value.close === "function") {
    (value.close as () => void).call(value);
  }
}
