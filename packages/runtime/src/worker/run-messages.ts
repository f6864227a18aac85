/**
 * Inference calls between a page and its worker, on a port of their own: bare messages, because a call through Comlink costs more
 * than a small model takes to run. What is called, or answered, in one turn travels in one message.
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
}

interface RunAnswer {
  readonly id: number;
  readonly result: Settled<Inference>;
}

/** What the worker sends. */
interface RunAnswers {
  readonly answers: readonly RunAnswer[];
  /** Memory that the engine has reserved by now, where it is known. */
  readonly heapBytes: number | undefined;
}

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
  port: MessagePort,
  onAnswers: (calls: number, heapBytes: number | undefined) => void,
): RunMessages {
  const waiting = new Map<number, Waiting>();
  let ended: Error | undefined;

  const settle = (id: number, outcome: (call: Waiting) => void): void => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (call !== undefined) outcome(call);
  };
  port.onmessage = ({ data }: MessageEvent<RunAnswers>) => {
    onAnswers(data.answers.length, data.heapBytes);
    for (const { id, result } of data.answers) {
      settle(id, ({ resolve, reject }) => {
        try {
          resolve(unsettle(result));
        } catch (error) {
          reject(error);
        }
      });
    }
  };
  const post = inTurns<RunCall>((calls, buffers) => {
    try {
      port.postMessage(calls, buffers);
    } catch (error) {
      // One that cannot be handed over, such as memory that was given before.
      for (const { id } of calls) settle(id, ({ reject }) => reject(error));
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
      port.close();
    },
  };
}

/** Memory of fewer bytes is copied faster than handed over. */
const MIN_TRANSFER_BYTES = 16_384;

/** The worker's side. */
export function answerRuns(
  port: MessagePort,
  run: (call: RunCall) => Promise<Settled<Inference>>,
  heapBytes: () => number | undefined,
): void {
  const post = inTurns<RunAnswer>((answers, buffers) =>
    port.postMessage({ answers, heapBytes: heapBytes() } satisfies RunAnswers, [...new Set(buffers)]),
  );
  const answer = async (call: RunCall): Promise<void> => {
    const result = await run(call);
    post({ id: call.id, result }, result.ok ? memoryOf(result.value) : []);
  };
  port.onmessage = ({ data }: MessageEvent<readonly RunCall[]>) => {
    for (const call of data) void answer(call);
  };
}

/** The outputs own their memory, so it is handed over instead of copied. */
function memoryOf({ probabilities, outputs }: Inference): ArrayBuffer[] {
  return [probabilities, ...Object.values(outputs).map(({ data }) => data)]
    .map(({ buffer }) => buffer as ArrayBuffer)
    .filter(({ byteLength }) => byteLength >= MIN_TRANSFER_BYTES);
}
