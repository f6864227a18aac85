/** Inference calls on their way to the worker: those that are made in one turn of the page travel in one message. */
import type { RunFeeds } from "../device.ts";
import type { Inference } from "../runtime.ts";
import { unsettle, type Settled } from "./error-transfer.ts";

/** One call of `run`, as it crosses. */
export interface RunCall {
  readonly id: number;
  readonly model: string;
  readonly feeds: RunFeeds;
}

/** Answers in the order of the calls. */
export interface RunAnswers {
  readonly answers: readonly Settled<Inference>[];
  /** Memory that the engine has reserved by now, where it is known. */
  readonly heapBytes?: number | undefined;
}

/** A message holds no more: its answers come together. */
const MAX_CALLS = 32;

interface Waiting {
  readonly call: RunCall;
  readonly buffers: readonly Transferable[];
  readonly resolve: (answer: Inference) => void;
  readonly reject: (error: unknown) => void;
}

export interface RunMessages {
  /** @param buffers - are handed over; other memory of the feeds is copied */
  send(call: RunCall, buffers: readonly Transferable[]): Promise<Inference>;
}

/** @param post - sends one message */
export function createRunMessages(
  post: (calls: readonly RunCall[], buffers: readonly Transferable[]) => Promise<RunAnswers>,
): RunMessages {
  let waiting: Waiting[] = [];

  const postSome = async (sent: readonly Waiting[]): Promise<void> => {
    try {
      const { answers } = await post(
        sent.map(({ call }) => call),
        sent.flatMap(({ buffers }) => buffers),
      );
      for (const [i, { resolve, reject }] of sent.entries()) {
        try {
          resolve(unsettle(answers[i]!));
        } catch (error) {
          reject(error);
        }
      }
    } catch (error) {
      for (const { reject } of sent) reject(error);
    }
  };

  const flush = (): void => {
    const all = waiting;
    waiting = [];
    for (let from = 0; from < all.length; from += MAX_CALLS) void postSome(all.slice(from, from + MAX_CALLS));
  };

  return {
    send: (call, buffers) =>
      new Promise((resolve, reject) => {
        if (waiting.length === 0) queueMicrotask(flush);
        waiting.push({ call, buffers, resolve, reject });
      }),
  };
}
