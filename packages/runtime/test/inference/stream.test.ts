import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inferenceStream } from "../../src/inference/stream.ts";
import type { Inference } from "../../src/runtime.ts";

const inferenceOf = (version: number): Inference => ({
  version,
  outputs: {},
  probabilities: new Float32Array(0),
  classes: [],
  top: [],
  durationMs: 1,
});

/** Runs that were begun, and how each is answered. */
let begun: {
  readonly value: number;
  readonly signal: AbortSignal;
  answer(): void;
  fail(error: Error): void;
}[];
let taken: number;
let ended: boolean;
beforeEach(() => {
  begun = [];
  [taken, ended] = [0, false];
});

const run = (value: number, signal: AbortSignal): Promise<Inference> =>
  new Promise((resolve, reject) => {
    begun.push({ value, signal, answer: () => resolve(inferenceOf(value)), fail: reject });
  });
async function* numbers(count: number): AsyncGenerator<number> {
  try {
    for (let value = 1; value <= count; value++) {
      taken = value;
      yield value;
    }
  } finally {
    ended = true;
  }
}
const settle = () => new Promise((resolve) => setImmediate(resolve));
afterEach(settle);

describe("a stream", () => {
  test("answers in the order of its values, whatever comes first, and asks for no more than it may", async () => {
    const answers = inferenceStream(numbers(5), run, { ahead: 3 });
    const first = answers.next();
    await settle();
    expect([taken, begun.length]).toEqual([3, 3]);
    begun[1]!.answer();
    await settle();
    expect(taken).toBe(3);
    begun[0]!.answer();
    expect((await first).value).toMatchObject({ version: 1 });
    expect((await answers.next()).value).toMatchObject({ version: 2 });
    await settle();
    for (const each of begun.slice(2)) each.answer();
    const rest: number[] = [];
    for await (const { version } of answers) rest.push(version);
    expect([rest, taken, ended]).toEqual([[3, 4, 5], 5, true]);
  });

  test("that is left ends its source and drops what is under way", async () => {
    for await (const answer of inferenceStream(numbers(100), async (value, signal) => {
      if (value > 1) return run(value, signal);
      return inferenceOf(value);
    })) {
      expect(answer.version).toBe(1);
      await settle();
      break;
    }
    await settle();
    expect([ended, begun.every(({ signal }) => signal.aborted)]).toEqual([true, true]);
  });

  test("ends with the error of a run, or of its source, after the answers before it", async () => {
    const failing = inferenceStream([1, 2], async (value) => {
      if (value === 2) throw new Error("too hard");
      return inferenceOf(value);
    });
    expect((await failing.next()).value).toMatchObject({ version: 1 });
    await expect(failing.next()).rejects.toThrow("too hard");
    async function* broken(): AsyncGenerator<number> {
      yield 1;
      throw new Error("no camera");
    }
    const source = inferenceStream(broken(), async (value) => inferenceOf(value));
    expect((await source.next()).value).toMatchObject({ version: 1 });
    await expect(source.next()).rejects.toThrow("no camera");
  });

  test("rejects with the reason of its signal", async () => {
    const controller = new AbortController();
    const answers = inferenceStream(numbers(3), run, { signal: controller.signal });
    const first = answers.next();
    await settle();
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(first).rejects.toBe(reason);
    const after = inferenceStream(numbers(3), run, { signal: controller.signal });
    await expect(after.next()).rejects.toBe(reason);
  });

  test("reads a ReadableStream, and cancels it", async () => {
    let cancelled = false;
    const stream = new ReadableStream<number>({
      pull: (controller) => controller.enqueue(7),
      cancel: () => void (cancelled = true),
    });
    // As in browsers that do not iterate them.
    Object.defineProperty(stream, Symbol.asyncIterator, { value: undefined });
    for await (const { version } of inferenceStream(stream, async (value) => inferenceOf(value))) {
      expect(version).toBe(7);
      break;
    }
    await settle();
    expect(cancelled).toBe(true);
  });

  test.each([0, 1.5, 1000])("ahead %d is refused", async (ahead) => {
    await expect(inferenceStream([1], run, { ahead }).next()).rejects.toThrowError(RangeError);
  });
});
