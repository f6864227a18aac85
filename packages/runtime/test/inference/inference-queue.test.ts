import { seededRandom, systemClock } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import type { Feeds, Outputs } from "@tributary/engine";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import { buildDigitsCnn } from "@tributary/onnx";
import type { GraphPort } from "@tributary/protocol";
import { tensor } from "@tributary/tensor";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { checkedBatching } from "../../src/inference/batching.ts";
import { createInferenceQueue } from "../../src/inference/inference-queue.ts";

const port = (name: string, shape: readonly number[]): GraphPort => ({ name, dtype: "float32", shape });
const rows = (...values: readonly number[]): Feeds => ({
  x: tensor("float32", [values.length, 1], Float32Array.from(values)),
});
const values = (outputs: Outputs): number[] => Array.from(outputs["y"]!.data as Float32Array);

/** A queue over y = 2x, or what `answer` says; a run ends when the test says so. */
function scripted(
  batching: Parameters<typeof checkedBatching>[0] = {},
  answer: (x: readonly number[]) => number[] = (x) => x.map((each) => 2 * each),
  shape: readonly number[] = [-1, 1],
) {
  const clock = createVirtualClock();
  const runs: number[][] = [];
  const ends: (() => void)[] = [];
  const queue = createInferenceQueue({
    async run({ x }) {
      const fed = Array.from(x!.data as Float32Array);
      runs.push(fed);
      await new Promise<void>((resolve) => ends.push(resolve));
      const y = Float32Array.from(answer(fed));
      return { y: tensor("float32", [y.length, 1], y) };
    },
    inputs: [port("x", shape)],
    outputs: [port("y", shape)],
    batching: () => checkedBatching(batching),
    clock,
  });
  return {
    clock,
    queue,
    runs,
    /** Lets runs end, one after the other, until nothing waits. */
    finish: async (): Promise<void> => {
      const idle = queue.idle();
      let over = false;
      void idle.then(() => (over = true));
      while (!over) {
        ends.shift()?.();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

describe("calls of one model", () => {
  test("that are made together share a run, and each gets its own rows", async () => {
    const { queue, runs, finish } = scripted();
    const answers = Promise.all([queue.run(rows(1)), queue.run(rows(2, 3)), queue.run(rows(4))]);
    await finish();
    expect((await answers).map(({ outputs }) => values(outputs))).toEqual([[2], [4, 6], [8]]);
    // The first shared run is checked against one of its calls alone.
    expect(runs).toEqual([[1, 2, 3, 4], [1]]);
    expect(queue.batching).toBe("agrees");
  });

  test("that come while the model runs share the next run", async () => {
    const { queue, runs, finish } = scripted();
    const first = queue.run(rows(1));
    await Promise.resolve();
    const others = [queue.run(rows(2)), queue.run(rows(3))];
    await finish();
    await Promise.all([first, ...others]);
    expect(runs).toEqual([[1], [2, 3], [2]]);
  });

  test("share no run above maxBatchSize, and one of more rows runs alone", async () => {
    const { queue, runs, finish } = scripted({ maxBatchSize: 3 });
    const calls = [rows(1), rows(2, 3), rows(4, 5, 6, 7), rows(8)].map((feeds) => queue.run(feeds));
    await finish();
    expect((await Promise.all(calls)).map(({ outputs }) => values(outputs))).toEqual([
      [2],
      [4, 6],
      [8, 10, 12, 14],
      [16],
    ]);
    expect(runs.filter((run) => run.length > 3)).toEqual([[4, 5, 6, 7]]);
  });

  test("wait for others as long as maxDelayMs says, and no longer when the batch is full or nothing comes", async () => {
    const { clock, queue, runs, finish } = scripted({ maxDelayMs: 5, maxBatchSize: 2 });
    const one = queue.run(rows(1));
    await Promise.resolve();
    clock.advance(4);
    expect(runs).toEqual([]);
    clock.advance(1);
    expect(runs).toEqual([[1]]);
    await finish();
    await one;
    const pair = [queue.run(rows(2)), queue.run(rows(3))];
    await Promise.resolve();
    expect(runs.at(-1)).toEqual([2, 3]);
    await finish();
    await Promise.all(pair);
    const last = queue.run(rows(9));
    await finish(); // a swap waits for no delay
    expect(values((await last).outputs)).toEqual([18]);
    expect(clock.pendingTimers).toBe(0);
  });

  test("that were aborted are taken out of the queue; of one that runs the answer is dropped", async () => {
    const { queue, runs, finish } = scripted();
    const [running, waiting] = [new AbortController(), new AbortController()];
    const first = queue.run(rows(1), running.signal);
    await Promise.resolve();
    const second = queue.run(rows(2), waiting.signal);
    const third = queue.run(rows(3));
    const [reason, other] = [new Error("gone"), new Error("no more")];
    waiting.abort(reason);
    running.abort(other);
    await expect(second).rejects.toBe(reason);
    await expect(first).rejects.toBe(other);
    await expect(queue.run(rows(4), AbortSignal.abort(reason))).rejects.toBe(reason);
    await finish();
    expect(values((await third).outputs)).toEqual([6]);
    expect(runs).toEqual([[1], [3]]);
  });

  test("share no runs of a model whose rows depend on each other", async () => {
    const { queue, runs, finish } = scripted({}, (x) => x.map((each) => each / Math.max(...x)));
    const calls = [rows(1), rows(4)].map((feeds) => queue.run(feeds));
    await finish();
    expect((await Promise.all(calls)).map(({ outputs }) => values(outputs))).toEqual([[1], [1]]);
    expect(queue.batching).toBe("disagrees");
    const more = [rows(2), rows(8)].map((feeds) => queue.run(feeds));
    await finish();
    await Promise.all(more);
    expect(runs.slice(-2)).toEqual([[2], [8]]);
  });

  test("share no runs of a model without a batch dimension", async () => {
    const { queue, runs, finish } = scripted({}, undefined, [1, 1]);
    const calls = [rows(1), rows(4)].map((feeds) => queue.run(feeds));
    await finish();
    await Promise.all(calls);
    expect([runs, queue.batching]).toEqual([[[1], [4]], "no-batch-dimension"]);
  });

  test("are no victims of a bad one beside them", async () => {
    const { queue, finish } = scripted({}, (x) => {
      if (x.includes(13)) throw new Error("unlucky");
      return x.map((each) => 2 * each);
    });
    const calls = Promise.allSettled([queue.run(rows(1)), queue.run(rows(13)), queue.run(rows(2))]);
    await finish();
    expect((await calls).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  });

  test("whatever their sizes and aborts, every call is answered with its rows or its reason", async () => {
    const call = fc.record({ size: fc.integer({ min: 1, max: 4 }), abort: fc.boolean(), late: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.array(call, { maxLength: 12 }),
        fc.integer({ min: 1, max: 6 }),
        async (all, max) => {
          const { queue, runs, finish } = scripted({ maxBatchSize: max });
          let next = 0;
          const made = [];
          for (const { size, abort, late } of all) {
            if (late) await Promise.resolve();
            const fed = Array.from({ length: size }, () => ++next);
            const controller = new AbortController();
            const answer = queue.run(rows(...fed), controller.signal).then(
              ({ outputs }) => values(outputs),
              () => "aborted",
            );
            if (abort) controller.abort();
            made.push({ expected: abort ? "aborted" : fed.map((each) => 2 * each), answer });
          }
          await finish();
          for (const { expected, answer } of made) expect(await answer).toEqual(expected);
          expect(runs.every((run) => run.length <= Math.max(max, 4))).toBe(true);
        },
      ),
      { seed: 20, numRuns: 60 },
    );
  });
});

test("32 calls of a convolutional network that share a run get the numbers they get alone", async () => {
  const engine = await createOrtNodeEngine();
  onTestFinished(() => engine.close());
  const session = await engine.load(buildDigitsCnn({ seed: 3 }));
  const random = seededRandom("images");
  const images = Array.from({ length: 32 }, (): Feeds => {
    const pixels = Float32Array.from({ length: 784 }, () => random.next());
    return { [session.inputs[0]!]: tensor("float32", [1, 1, 28, 28], pixels) };
  });
  let runs = 0;
  const queue = createInferenceQueue({
    run: (feeds) => {
      runs += 1;
      return session.run(feeds);
    },
    inputs: [{ name: session.inputs[0]!, dtype: "float32", shape: [-1, 1, 28, 28] }],
    outputs: [{ name: session.outputs[0]!, dtype: "float32", shape: [-1, 10] }],
    batching: () => checkedBatching(),
    clock: systemClock,
  });
  const answers = await Promise.all(images.map((feeds) => queue.run(feeds)));
  expect(runs).toBe(2);
  for (const [i, { outputs }] of answers.entries()) {
    const alone = (await session.run(images[i]!))[session.outputs[0]!]!;
    const shared = outputs[session.outputs[0]!]!;
    expect(shared.shape).toEqual([1, 10]);
    for (const [at, value] of shared.data.entries()) expect(value).toBeCloseTo(Number(alone.data[at]), 4);
  }
});

test.each([{ maxBatchSize: 0 }, { maxBatchSize: 1.5 }, { maxDelayMs: -1 }, { maxDelayMs: 5000 }])(
  "%j is refused",
  (options) => {
    expect(() => checkedBatching(options)).toThrowError(RangeError);
  },
);
