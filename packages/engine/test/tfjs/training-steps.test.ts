import { seededRandom } from "@tributary/core";
import type { Engine, Session } from "@tributary/engine";
import type { LabelledValues } from "@tributary/engine/batches";
import { train, type TrainingState, type TrainRequest } from "@tributary/engine/training";
import { elementCount, tensor } from "@tributary/tensor";
import { beforeAll, describe, expect, test } from "vitest";
import { createTfjsEngine, tfjsTensors } from "../../src/tfjs/index.ts";
import { smallStep } from "./small-step.ts";
import { WASM_PATHS } from "./wasm-paths.ts";

const random = seededRandom("words");
const examples: LabelledValues[] = Array.from({ length: 11 }, (_, i) => ({
  inputs: [Float32Array.from({ length: 5 }, () => random.integer(12))],
  label: i % 3,
}));

let made: Awaited<ReturnType<typeof smallStep>>;
beforeAll(async () => {
  made = await smallStep();
});

const request = (session: Session, more: Partial<TrainRequest> = {}): TrainRequest => ({
  session,
  spec: made.spec,
  layout: {
    tensors: made.spec.parameters.map(({ name, shape }) => ({ name, shape, role: "weight" })),
    maxStatisticChange: 1,
  },
  base: made.base,
  examples,
  epochs: 3,
  learningRate: 0.1,
  maxExamples: 100,
  random: seededRandom("order"),
  ...more,
});

async function withSession<T>(engine: Engine, use: (session: Session) => Promise<T>): Promise<T> {
  const session = await engine.load(made.step);
  try {
    return await use(session);
  } finally {
    await session[Symbol.asyncDispose]();
    await engine.close();
  }
}

describe.each(["cpu", "wasm"] as const)("steps of training on %s", (backend) => {
  const open = () => createTfjsEngine({ backend, wasmPaths: WASM_PATHS });

  test("leave no tensor behind: not after many, not where a run is refused or aborted", async () => {
    const engine = await open();
    const before = tfjsTensors();
    await withSession(engine, async (session) => {
      const loaded = tfjsTensors();
      await train(request(session, { epochs: 8 }));
      expect(tfjsTensors()).toBe(loaded);
      await expect(session.run({})).rejects.toMatchObject({ code: "engine/missing-input" });
      const stop = new AbortController();
      const aborted = train(
        request(session, {
          signal: stop.signal,
          onProgress: ({ step }) => step === 4 && stop.abort(new Error("enough")),
        }),
      );
      await expect(aborted).rejects.toThrow("enough");
      // Words that there are none of: the step itself may fail.
      const feeds = Object.fromEntries(
        session.inputPorts.map(({ name, dtype, shape }) => {
          const size = elementCount(shape as number[]);
          const values = dtype === "int32" ? new Int32Array(size) : new Float32Array(size).fill(99);
          return [name, tensor(dtype, shape as number[], values)];
        }),
      );
      await session.run(feeds).catch(() => undefined);
      expect(tfjsTensors()).toBe(loaded);
    });
    expect(tfjsTensors()).toBe(before);
  });

  test("go on from any batch to the same update, masks of dropouts included", async () => {
    await withSession(await open(), async (session) => {
      const states: TrainingState[] = [];
      const whole = await train(request(session, { onState: (state) => states.push(state) }));
      expect(states).toHaveLength(9);
      const resumed = await train(request(session, { resume: states[4]! }));
      expect(resumed).toEqual(whole);
    });
  });
});

test("both backends compute the same", async () => {
  const [cpu, wasm] = await Promise.all(
    (["cpu", "wasm"] as const).map(async (backend) =>
      withSession(await createTfjsEngine({ backend, wasmPaths: WASM_PATHS }), (session) =>
        train(request(session, { epochs: 8 })),
      ),
    ),
  );
  expect(cpu!.update.some((value) => Math.abs(value) > 0.01)).toBe(true);
  for (const [i, value] of wasm!.update.entries()) expect(value).toBeCloseTo(cpu!.update[i]!, 4);
});
