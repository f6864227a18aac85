/**
 * Inference calls between a page and its worker as bare messages beside Comlink's, because a call through Comlink costs more than a
 * small model takes to run; and on the worker's own channel, because a port of their own is slower. What is called, or answered, in
 * one turn travels in one message.
 */
import type { RunFeeds } from "../device.ts";
import type { Inference } from "../runtime.ts";
import { unsettle, type Settled } from "./error-transfer.ts";

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

interface RunAnswer {
  readonly id: number;
  readonly result: Settled<Inference>;
}

/** What the page sends. */
interface RunCalls {
  readonly runs: readonly RunCall[];
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
  /** @param buffers - are handed over; other memory of the feeds is copied */
  send(call: RunCall, buffers: readonly Transferable[]): Promise<Inference>;
  /** Every call that waits rejects with the reason. */
  end(reason: Error): void;
}

interface Waiting {
  readonly resolve: (answer: Inference) => void;
  readonly reject: (error: unknown) => void;
}

/** @param onAnswers - told how many calls were answered, and what the worker's memory is */
export function createRunMessages(
  endpoint: RunEndpoint,
  onAnswers: (calls: number, heapBytes: number | undefined) => void,
): RunMessages {
  const waiting = new Map<number, Waiting>();
  let ended: Error | undefined;

  const settle = (id: number, outcome: (call: Waiting) => void): void => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (call !== undefined) outcome(call);
  };
  const onMessage = ({ data }: MessageEvent<Partial<RunAnswers> | undefined>): void => {
    if (data?.runAnswers === undefined) return;
    onAnswers(data.runAnswers.length, data.heapBytes);
    for (const { id, result } of data.runAnswers) {
      settle(id, ({ resolve, reject }) => {
        try {
          resolve(unsettle(result));
        } catch (error) {
          reject(error);
        }
      });
    }
  };
  endpoint.addEventListener("message", onMessage);
  const post = inTurns<RunCall>((runs, buffers) => {
    try {
      endpoint.postMessage({ runs } satisfies RunCalls, buffers);
    } catch (error) {
      // One that cannot be handed over, such as memory that was given before.
      for (const { id } of runs) settle(id, ({ reject }) => reject(error));
    }
  });

  return {
    send: (call, buffers) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended);
        waiting.set(call.id, { resolve, reject });
        post(call, buffers);
      }),
    end(reason) {
      ended ??= reason;
      const all = [...waiting.values()];
      waiting.clear();
      for (const { reject } of all) reject(reason);
      endpoint.removeEventListener("message", onMessage);
    },
  };
}

/** Memory of fewer bytes is copied faster than handed over. */
const MIN_TRANSFER_BYTES = 16_384;

/** The worker's side. */
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
  const answer = async (call: RunCall): Promise<void> => {
    const result = await run(call);
    post({ id: call.id, result }, result.ok ? memoryOf(result.value) : []);
  };
  endpoint.addEventListener("message", ({ data }: MessageEvent<Partial<RunCalls> | undefined>) => {
    for (const call of data?.runs ?? []) void answer(call);
  });
}

/** The outputs own their memory, so it is handed over instead of copied. */
function memoryOf({ probabilities, outputs }: Inference): ArrayBuffer[] {
  return [probabilities, ...Object.values(outputs).map(({ data }) => data)]
    .map(({ buffer }) => buffer as ArrayBuffer)
    .filter(({ byteLength }) => byteLength >= MIN_TRANSFER_BYTES);
}
