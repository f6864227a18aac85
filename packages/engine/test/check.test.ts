import { describe, expect, test } from "vitest";
import { checkAgainst, chooseEngine } from "../src/check.ts";
import type { Engine, EngineName, Feeds, Outputs, Session } from "../src/engine.ts";

/** An engine that answers `values` and takes `runMs` of the shared clock a run; counts its open sessions. */
function scripted(name: EngineName, time: { now: number }, runMs: number, answer: () => number[]) {
  const open = new Set<Session>();
  const engine: Engine = {
    name,
    async load() {
      const session = {
        engine: name,
        inputs: ["x"],
        outputs: ["y"],
        inputPorts: [],
        outputPorts: [],
        async run(): Promise<Outputs> {
          time.now += runMs;
          const data = Float32Array.from(answer());
          return { y: { dtype: "float32", shape: [data.length], data } };
        },
        async [Symbol.asyncDispose]() {
          open.delete(session);
        },
      } satisfies Session;
      open.add(session);
      return session;
    },
    close: async () => {},
  };
  return { engine, open };
}

const feeds: Feeds = {};
const model = new Uint8Array(0);

function choose(wasmMs: number, webgpuMs: number, webgpuAnswer: () => number[], insist = false) {
  const time = { now: 0 };
  const wasm = scripted("ort-wasm", time, wasmMs, () => [1, -2, 0]);
  const webgpu = scripted("ort-webgpu", time, webgpuMs, webgpuAnswer);
  const clock = { monotonicMs: () => time.now };
  const chosen = chooseEngine({
    reference: wasm.engine,
    candidate: webgpu.engine,
    model,
    feeds,
    clock,
    insist,
  });
  return { chosen, wasm, webgpu };
}

describe("the check of a second engine", () => {
  test("the faster of two that agree is chosen by measurement, the other session is released", async () => {
    const { chosen, wasm, webgpu } = choose(4, 1, () => [1.0000001, -2, 0]);
    const { choice, session } = await chosen;
    expect(choice).toMatchObject({
      engine: "ort-webgpu",
      reason: "faster",
      medianMs: { "ort-wasm": 4, "ort-webgpu": 1 },
    });
    expect(choice.relativeError).toBeLessThan(1e-6);
    expect(session.engine).toBe("ort-webgpu");
    expect([wasm.open.size, webgpu.open.size]).toEqual([0, 1]);
  });

  test("an engine that agrees and is slower is not used", async () => {
    const { choice } = await choose(1, 4, () => [1, -2, 0]).chosen;
    expect(choice).toMatchObject({ engine: "ort-wasm", reason: "faster" });
  });

  test("an engine that is insisted on is used wherever it agrees, and nowhere else", async () => {
    const { chosen, wasm, webgpu } = choose(1, 4, () => [1, -2, 0], true);
    const { choice, session } = await chosen;
    expect(choice).toMatchObject({ engine: "ort-webgpu", reason: "insisted", medianMs: {} });
    expect([session.engine, wasm.open.size, webgpu.open.size]).toEqual(["ort-webgpu", 0, 1]);
    const wrong = await choose(1, 4, () => [1, -1, 0], true).chosen;
    expect(wrong.choice).toMatchObject({ engine: "ort-wasm", reason: "disagrees" });
  });

  test("an engine that computes something else is not used, however fast, and the error is told", async () => {
    const { chosen, webgpu } = choose(4, 1, () => [1, -1, 0]);
    const { choice, session } = await chosen;
    expect(choice).toMatchObject({ engine: "ort-wasm", reason: "disagrees", relativeError: 0.5 });
    expect(session.engine).toBe("ort-wasm");
    expect(webgpu.open.size).toBe(0);
  });

  test.each([[[Number.NaN, -2, 0]], [[1, -2]], [[Infinity, -2, 0]]])("%j never agrees", async (values) => {
    const { choice } = await choose(4, 1, () => values).chosen;
    expect(choice).toMatchObject({ engine: "ort-wasm", reason: "disagrees", relativeError: Infinity });
  });

  test("an engine that fails is not used, and what it said is kept", async () => {
    const { chosen, webgpu } = choose(4, 1, () => {
      throw new Error("device lost");
    });
    const { choice } = await chosen;
    expect(choice).toMatchObject({ engine: "ort-wasm", reason: "failed", message: "device lost" });
    expect(webgpu.open.size).toBe(0);
  });

  test("where the reference cannot run the batch nothing is compared, and the reference goes on", async () => {
    const time = { now: 0 };
    const wasm = scripted("ort-wasm", time, 1, () => {
      throw new Error("sizes differ");
    });
    const webgpu = scripted("ort-webgpu", time, 1, () => [1]);
    const clock = { monotonicMs: () => time.now };
    const options = { reference: wasm.engine, candidate: webgpu.engine, model, feeds, clock };
    const { choice, session } = await chooseEngine(options);
    expect(choice).toMatchObject({ engine: "ort-wasm", reason: "no-sample", message: "sizes differ" });
    expect([session.engine, wasm.open.size, webgpu.open.size]).toEqual(["ort-wasm", 1, 0]);
  });

  test("without a second engine nothing is compared", async () => {
    const time = { now: 0 };
    const { engine } = scripted("ort-wasm", time, 1, () => [1]);
    const clock = { monotonicMs: () => time.now };
    const { choice } = await chooseEngine({ reference: engine, candidate: undefined, model, feeds, clock });
    expect(choice).toEqual({
      engine: "ort-wasm",
      reference: "ort-wasm",
      candidate: null,
      reason: "only-engine",
      relativeError: null,
      medianMs: {},
    });
  });
});

describe("checkAgainst", () => {
  const of = (answers: Readonly<Record<string, readonly number[]>>) => ({
    feeds,
    session: {
      engine: "ort-wasm",
      inputs: [],
      outputs: Object.keys(answers),
      inputPorts: [],
      outputPorts: [],
      run: async (): Promise<Outputs> =>
        Object.fromEntries(
          Object.entries(answers).map(([name, values]) => [
            name,
            { dtype: "float32", shape: [values.length], data: Float32Array.from(values) },
          ]),
        ),
      [Symbol.asyncDispose]: async () => {},
    } satisfies Session,
  });
  const cases: readonly [
    string,
    Record<string, number[]>,
    Record<string, number[]>,
    number,
    string | null,
  ][] = [
    ["nothing but zeros", { y: [0, 0] }, { y: [0, 0] }, 0, null],
    ["largest difference over largest magnitude", { y: [4, 0] }, { y: [4, 1] }, 0.25, "y"],
    ["per output", { y: [100], z: [1] }, { y: [101], z: [1.5] }, 0.5, "z"],
    ["a NaN on both sides", { y: [Number.NaN] }, { y: [Number.NaN] }, Infinity, "y"],
    ["an output that is missing", { y: [1] }, {}, Infinity, "y"],
    ["rounding of what is zero in truth", { y: [1e-9], loss: [4] }, { y: [2e-9], loss: [4] }, 2.5e-4, "y"],
  ];
  test.each(cases)("%s", async (_, expected, got, error, worst) => {
    const result = await checkAgainst(of(expected), of(got));
    expect(result.relativeError).toBeCloseTo(error, 5);
    expect(result).toMatchObject({ agrees: error <= 1e-3, worstOutput: worst });
  });

  test("a candidate of another form is compared by the reference's names", async () => {
    const candidate = { ...of({ "loop.y": [1, 2] }), outputNames: { y: "loop.y" } };
    expect(await checkAgainst(of({ y: [1, 2] }), candidate)).toMatchObject({ agrees: true });
  });
});
