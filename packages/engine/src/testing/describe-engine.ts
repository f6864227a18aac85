import { TributaryError } from "@tributary/core";
import { tensor, type Tensor } from "@tributary/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine, Session } from "../engine.ts";
import { ENGINE_CASES } from "./engine-cases.ts";
import { tinyOnnx } from "./tiny-onnx.ts";

export interface DescribeEngineOptions {
  /** Opens the engine under test. Called twice per suite. */
  open(): Promise<Engine>;
  /** Largest error against the expected values, relative to the largest of them. @defaultValue 1e-5 */
  readonly tolerance?: number;
  /** The models of the suite, for an engine that runs no ONNX. The cases that compute are ONNX, and left out then. */
  readonly models?: SuiteModels;
  /** Names of cases this engine is known to fail, with the reason. */
  readonly knownFailures?: Readonly<Record<string, string>>;
}

export interface SuiteModels {
  /** y = x + 1, float32 [batch, 2]. */
  readonly increment: Uint8Array;
  /** next = w - g and same = w, float32 [4]. */
  readonly step: Uint8Array;
}

/** x + 1, for a free batch of two. */
const INCREMENT_ONNX = tinyOnnx({
  nodes: [{ op: "Add", inputs: ["x", "one"], outputs: ["y"] }],
  inputs: { x: ["float32", ["batch", 2]] },
  outputs: { y: ["float32", ["batch", 2]] },
  initializers: { one: tensor("float32", [], Float32Array.of(1)) },
});
/** w' = w - g, as an optimizer step; and w itself, handed through. */
const STEP_ONNX = tinyOnnx({
  nodes: [
    { op: "Sub", inputs: ["w", "g"], outputs: ["next"] },
    { op: "Identity", inputs: ["w"], outputs: ["same"] },
  ],
  inputs: { w: ["float32", [4]], g: ["float32", [4]] },
  outputs: { next: ["float32", [4]], same: ["float32", [4]] },
});

const row = (...values: number[]): Tensor =>
  tensor("float32", [values.length / 2, 2], Float32Array.from(values));
const vector = (...values: number[]): Tensor => tensor("float32", [values.length], Float32Array.from(values));

/** The conformance suite of `Engine`: every adapter runs it. */
export function describeEngine(name: string, options: DescribeEngineOptions): void {
  const { tolerance = 1e-5, knownFailures = {}, models: given } = options;
  const { increment: INCREMENT, step: STEP } = given ?? { increment: INCREMENT_ONNX, step: STEP_ONNX };
  describe(`engine ${name}`, () => {
    let engine: Engine;
    beforeAll(async () => {
      engine = await options.open();
    });
    afterAll(() => engine.close());

    const withSession = async (
      model: Uint8Array,
      use: (session: Session) => Promise<void>,
    ): Promise<void> => {
      const session = await engine.load(model);
      try {
        await use(session);
      } finally {
        await session[Symbol.asyncDispose]();
      }
    };

    // The cases are ONNX: an engine of another format has tests of its own for what it computes.
    if (given === undefined) {
      for (const { name: caseName, graph, feeds, expected } of ENGINE_CASES) {
        const reason = knownFailures[caseName];
        const run = reason === undefined ? test : test.fails;
        run(`computes ${caseName}${reason === undefined ? "" : ` (known: ${reason})`}`, () =>
          withSession(tinyOnnx(graph), async (session) => {
            const outputs = await session.run(feeds);
            expect(Object.keys(outputs).toSorted()).toEqual(Object.keys(expected).toSorted());
            for (const [output, value] of Object.entries(expected)) {
              expectTensor(outputs[output]!, value, tolerance);
            }
          }),
        );
      }
    }

    test("tells its ports in graph order, free dimensions as null", () =>
      withSession(STEP, async (session) => {
        expect(session.engine).toBe(engine.name);
        expect(session.inputs).toEqual(["w", "g"]);
        expect(session.outputs).toEqual(["next", "same"]);
        expect(session.inputPorts[0]).toEqual({ name: "w", dtype: "float32", shape: [4] });
        await withSession(INCREMENT, async (other) => {
          expect(other.inputPorts).toEqual([{ name: "x", dtype: "float32", shape: [null, 2] }]);
        });
      }));

    test("gives only the outputs asked for", () =>
      withSession(STEP, async (session) => {
        const feeds = { w: vector(1, 1, 1, 1), g: vector(1, 0, 0, 0) };
        expect(Object.keys(await session.run(feeds, { outputs: ["same"] }))).toEqual(["same"]);
      }));

    test("outputs own their memory: fed back step by step they count down, and feeds stay untouched", () =>
      withSession(STEP, async (session) => {
        const start = vector(10, 10, 10, 10);
        const g = vector(1, 1, 1, 1);
        const seen: Tensor[] = [];
        let w: Tensor = start;
        for (let step = 0; step < 4; step++) {
          const { next, same } = await session.run({ w, g });
          (w.data as Float32Array).fill(step === 0 ? 10 : -99); // nothing may still read from here
          seen.push(next!, same!);
          w = next!;
        }
        // Each output holds what it held when it was made, except where this test wrote -99 into it.
        expect([...seen[1]!.data]).toEqual([10, 10, 10, 10]);
        expect([...seen[7]!.data]).toEqual([7, 7, 7, 7]);
        expect([...w.data]).toEqual([6, 6, 6, 6]);
        expect([...start.data]).toEqual([10, 10, 10, 10]);
        const buffers = new Set([start, g, ...seen].map(({ data }) => data.buffer));
        expect(buffers.size).toBe(2 + seen.length);
      }));

    test("runs started at once end in the order of their calls, each with its own result", () =>
      withSession(INCREMENT, async (session) => {
        const order: number[] = [];
        const results = await Promise.all(
          Array.from({ length: 16 }, async (_, i) => {
            const { y } = await session.run({ x: row(i, -i) });
            order.push(i);
            return [...y!.data];
          }),
        );
        expect(results).toEqual(Array.from({ length: 16 }, (_, i) => [i + 1, 1 - i]));
        expect(order).toEqual(Array.from({ length: 16 }, (_, i) => i));
      }));

    test("two sessions do not disturb each other", () =>
      withSession(INCREMENT, (a) =>
        withSession(STEP, async (b) => {
          const [first, second] = await Promise.all([
            a.run({ x: row(1, 2) }),
            b.run({ w: vector(1, 2, 3, 4), g: vector(1, 1, 1, 1) }),
          ]);
          expect([...first["y"]!.data]).toEqual([2, 3]);
          expect([...second["next"]!.data]).toEqual([0, 1, 2, 3]);
        }),
      ));

    describe("refuses, with a code, and goes on", () => {
      const refusals: readonly [string, string, (session: Session) => Promise<unknown>][] = [
        ["a missing input", "engine/missing-input", (s) => s.run({})],
        ["an unknown input", "engine/unknown-input", (s) => s.run({ x: row(1, 2), z: row(1, 2) })],
        [
          "another dtype",
          "engine/input-mismatch",
          (s) => s.run({ x: tensor("int32", [1, 2], Int32Array.of(1, 2)) }),
        ],
        ["another rank", "engine/input-mismatch", (s) => s.run({ x: vector(1, 2) })],
        [
          "another size",
          "engine/input-mismatch",
          (s) => s.run({ x: tensor("float32", [1, 3], new Float32Array(3)) }),
        ],
        ["an unknown output", "engine/unknown-output", (s) => s.run({ x: row(1, 2) }, { outputs: ["z"] })],
      ];
      test.each(refusals)("%s: %s", (_, code, call) =>
        withSession(INCREMENT, async (session) => {
          await expect(call(session)).rejects.toMatchObject({ code });
          const { y } = await session.run({ x: row(1, 2) });
          expect([...y!.data]).toEqual([2, 3]);
        }),
      );

      const unknownOp = tinyOnnx({
        nodes: [{ op: "NoSuchOperator", inputs: ["x"], outputs: ["y"] }],
        inputs: { x: ["float32", [1]] },
        outputs: { y: ["float32", [1]] },
      });
      const models: readonly [string, Uint8Array][] = [
        ["no bytes", new Uint8Array(0)],
        ["no model", Uint8Array.from({ length: 64 }, (_, i) => 255 - i)],
        ["half a model", INCREMENT.slice(0, INCREMENT.length >> 1)],
        ["an unknown operator", unknownOp],
      ];
      test.each(models)("a model of %s: engine/load-failed", async (_, model) => {
        const error: unknown = await engine.load(model).catch((thrown: unknown) => thrown);
        expect(TributaryError.is(error) && error.code).toBe("engine/load-failed");
      });
    });

    test("an aborted run rejects with the signal's reason, and those after it are served", () =>
      withSession(INCREMENT, async (session) => {
        const reason = new Error("not needed");
        await expect(session.run({ x: row(1, 2) }, { signal: AbortSignal.abort(reason) })).rejects.toBe(
          reason,
        );
        const controller = new AbortController();
        const aborted = session.run({ x: row(1, 2) }, { signal: controller.signal });
        const served = session.run({ x: row(3, 4) });
        controller.abort(reason);
        await expect(aborted).rejects.toBe(reason);
        expect([...(await served)["y"]!.data]).toEqual([4, 5]);
      }));

    test("an aborted load rejects with the signal's reason", async () => {
      const reason = new Error("not needed");
      await expect(engine.load(INCREMENT, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    });

    test("the model's bytes may be reused after the load", async () => {
      const bytes = INCREMENT.slice();
      const session = await engine.load(bytes);
      bytes.fill(0);
      const { y } = await session.run({ x: row(1, 2) });
      expect([...y!.data]).toEqual([2, 3]);
      await session[Symbol.asyncDispose]();
    });

    test("loads without optimization too", async () => {
      const session = await engine.load(INCREMENT, { optimization: "none" });
      expect([...(await session.run({ x: row(1, 2) }))["y"]!.data]).toEqual([2, 3]);
      await session[Symbol.asyncDispose]();
    });

    test("disposal waits for accepted runs, may be repeated, and ends the session", async () => {
      const session = await engine.load(INCREMENT);
      const running = session.run({ x: row(1, 2) });
      const disposals = [session[Symbol.asyncDispose](), session[Symbol.asyncDispose]()];
      expect([...(await running)["y"]!.data]).toEqual([2, 3]);
      await Promise.all(disposals);
      await session[Symbol.asyncDispose]();
      await expect(session.run({ x: row(1, 2) })).rejects.toMatchObject({ code: "engine/closed" });
    });

    test("a hundred sessions, one after the other", async () => {
      for (let i = 0; i < 100; i++) {
        await withSession(INCREMENT, async (session) => {
          await session.run({ x: row(i, i) });
        });
      }
    });

    test("closing disposes what is open, may be repeated, and refuses to load", async () => {
      await engine.close();
      const other = await options.open();
      const session = await other.load(INCREMENT);
      await Promise.all([other.close(), other.close()]);
      await expect(session.run({ x: row(1, 2) })).rejects.toMatchObject({ code: "engine/closed" });
      await expect(other.load(INCREMENT)).rejects.toMatchObject({ code: "engine/closed" });
    });
  });
}

function expectTensor(got: Tensor, expected: Tensor, tolerance: number): void {
  expect({ dtype: got.dtype, shape: got.shape }).toEqual({ dtype: expected.dtype, shape: expected.shape });
  expect(got.data.constructor).toBe(expected.data.constructor);
  const want = Array.from(expected.data as ArrayLike<number | bigint>, Number);
  const have = Array.from(got.data as ArrayLike<number | bigint>, Number);
  const largest = Math.max(1e-12, ...want.map(Math.abs));
  const exact = !expected.dtype.startsWith("float");
  have.forEach((value, i) => {
    const error = Math.abs(value - want[i]!) / largest;
    expect(error, `element ${i}: ${value}, expected ${want[i]}`).toBeLessThanOrEqual(exact ? 0 : tolerance);
  });
}
