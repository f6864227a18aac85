/**
 * Inference calls between a page and its worker as bare messages beside Comlink's, because a call through Comlink costs more than a
 * small model takes to run; and on the worker's own channel, because a port of their own is slower. What is called, or answered, in
 * one turn travels in one message.
 */
import type { RunFeeds } from "../device.ts";
import type { ImageInput } from "../images/image-input.ts";
import type { Inference } from "../runtime.ts";
import { createBufferPool, MIN_POOLED_BYTES, type BufferPool } from "../inference/buffer-pool.ts";
import type { Tensor } from "@tributary/tensor";
import { thrown, type Settled } from "./error-transfer.ts";
import type { Liveness } from "./liveness.ts";

/** One call of `run`, as it crosses. */
export interface RunCall {
  readonly id: number;
  readonly model: string;
  readonly feeds: RunFeeds;
  /** Whether the page may cancel it. */
  readonly cancellable: boolean;
  /** False: weights of the device's own do not answer. */
  readonly personal?: false;
}

/** A call with the memory that comes back with its answer. */
interface SentCall extends RunCall {
  readonly lent: readonly ArrayBuffer[];
}

/** The call's id, how it ended, and what was lent. */
type RunAnswer = readonly [id: number, result: Settled<Inference>, lent: readonly ArrayBuffer[]];

/** What the page sends. */
interface RunCalls {
  readonly runs: readonly SentCall[];
}

/** What the worker sends. */
interface RunAnswers {
  readonly runAnswers: readonly RunAnswer[];
  /** Memory that the engine has reserved by now, where it is known. */
  readonly heapBytes: number | undefined;
}

/** A worker as its page sees it, or the page as the worker does. Comlink talks over it too, in messages of another form. */
export type RunEndpoint = Pick<Worker, "postMessage" | "addEventListener" | "removeEventListener">;

/** Collects what is sent in one turn. */
function inTurns<T>(post: (items: T[], buffers: Transferable[]) => void) {
  let items: T[] = [];
  let buffers: Transferable[] = [];
  const flush = (): void => {
    const [sent, given] = [items, buffers];
    items = [];
    buffers = [];
    post(sent, given);
  };
  return (item: T, given: readonly Transferable[]): void => {
    if (items.length === 0) queueMicrotask(flush);
    items.push(item);
    buffers.push(...given);
  };
}

/** The page's side. */
export interface RunMessages {
  /** @param buffers - are handed over; other memory of the feeds is copied, before this returns where it is much */
  send(call: RunCall, buffers: readonly Transferable[]): Promise<Inference>;
  /** Every call that waits rejects with the reason. */
  end(reason: Error): void;
}

interface Waiting {
  readonly resolve: (answer: Inference) => void;
  readonly reject: (error: unknown) => void;
  readonly askedAtMs: number;
}

export interface RunMessagesOptions {
  /** Told what is asked and answered. */
  readonly liveness: Pick<Liveness, "asked" | "answered">;
  /** Told how many calls were answered, and what the worker's memory is. */
  readonly onAnswers: (calls: number, heapBytes: number | undefined) => void;
}

/** Made before Comlink listens to the worker: what is said here it need not look at. */
export function createRunMessages(
  endpoint: RunEndpoint,
  { liveness, onAnswers }: RunMessagesOptions,
): RunMessages {
  const pool = createBufferPool(ArrayBuffer);
  const waiting = new Map<number, Waiting>();
  let ended: Error | undefined;

  const take = (id: number, isAnswer: boolean): Waiting | undefined => {
    const call = waiting.get(id);
    if (call === undefined) return;
    waiting.delete(id);
    liveness.answered(call.askedAtMs, isAnswer);
    return call;
  };
  const onMessage = (event: MessageEvent<Partial<RunAnswers> | undefined>): void => {
    const { data } = event;
    if (data?.runAnswers === undefined) return;
    event.stopImmediatePropagation();
    onAnswers(data.runAnswers.length, data.heapBytes);
    for (const [id, result, lent] of data.runAnswers) {
      for (const buffer of lent) pool.giveBack(buffer);
      const call = take(id, result.ok);
      if (result.ok) call?.resolve(result.value);
      else call?.reject(thrown(result));
    }
  };
  endpoint.addEventListener("message", onMessage);
  const post = inTurns<SentCall>((runs, buffers) => {
    try {
      endpoint.postMessage({ runs } satisfies RunCalls, buffers);
    } catch (error) {
      // One that cannot be handed over, such as memory that was given before.
      for (const { id } of runs) take(id, false)?.reject(error);
    }
  });

  return {
    send: (call, buffers) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended);
        waiting.set(call.id, { resolve, reject, askedAtMs: liveness.asked() });
        const { feeds, lent } = lend(call.feeds, buffers, pool);
        post({ ...call, feeds, lent }, [...buffers, ...lent]);
      }),
    end(reason) {
      ended ??= reason;
      for (const id of waiting.keys()) take(id, false)?.reject(reason);
      endpoint.removeEventListener("message", onMessage);
    },
  };
}

/** Large feeds in memory of the pool, which is handed over: what is copied on the way is copied more slowly. Shared memory is no copy. */
function lend(
  feeds: RunFeeds,
  given: readonly Transferable[],
  pool: BufferPool,
): { readonly feeds: RunFeeds; readonly lent: readonly ArrayBuffer[] } {
  const lent: ArrayBuffer[] = [];
  const sent: Record<string, RunFeeds[string]> = {};
  for (const [name, value] of Object.entries(feeds)) {
    const data = "data" in value ? value.data : undefined;
    const isLent =
      data !== undefined &&
      data.byteLength >= MIN_POOLED_BYTES &&
      data.buffer instanceof ArrayBuffer &&
      !given.includes(data.buffer);
    if (isLent) {
      const copy = pool.copy(data);
      lent.push(copy.buffer as ArrayBuffer);
      sent[name] = { ...value, data: copy } as Tensor | ImageInput;
    } else sent[name] = value;
  }
  return { feeds: sent, lent };
}

/** Memory of fewer bytes is copied faster than handed over. */
const MIN_TRANSFER_BYTES = 16_384;

/** The worker's side. Made before Comlink listens to the page. */
export function answerRuns(
  endpoint: RunEndpoint,
  run: (call: RunCall) => Promise<Settled<Inference>>,
  heapBytes: () => number | undefined,
): void {
  const post = inTurns<RunAnswer>((answers, buffers) =>
    endpoint.postMessage({ runAnswers: answers, heapBytes: heapBytes() } satisfies RunAnswers, [
      ...new Set(buffers),
    ]),
  );
  const answer = async ({ lent, ...call }: SentCall): Promise<void> => {
    const result = await run(call);
    // After a call that was cancelled its run may still read them.
    if (result.ok) post([call.id, result, lent], [...memoryOf(result.value), ...lent]);
    else post([call.id, result, []], []);
  };
  endpoint.addEventListener("message", (event: MessageEvent<Partial<RunCalls> | undefined>) => {
    if (event.data?.runs === undefined) return;
    event.stopImmediatePropagation();
    for (const call of event.data.runs) void answer(call);
  });
}

/** The outputs own their memory, so it is handed over instead of copied. */
function memoryOf({ probabilities, outputs }: Inference): ArrayBuffer[] {
  return [probabilities, ...Object.values(outputs).map(({ data }) => data)]
    .map(({ buffer }) => buffer as ArrayBuffer)
    .filter(({ byteLength }) => byteLength >= MIN_TRANSFER_BYTES);
}
