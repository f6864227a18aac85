import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRuntime } from "@tributary/runtime/node";
import { ortNode, ortWasm, type TestEngine } from "../../../packages/onnx/test/support/engines.ts";
import { inputValues, type Contestant, type Timing } from "./contestant.ts";
import { MODELS, type BenchModel } from "./models.ts";
import type { BenchServer } from "./serve-bench.ts";

export interface NodeBench {
  readonly contestants: readonly Contestant[];
  close(): Promise<void>;
}

/** onnxruntime-node and onnxruntime-web with nothing around them, and this project's runtime, in this process. */
export async function openNodeBench({ url, root }: BenchServer): Promise<NodeBench> {
  const dataDir = mkdtempSync(join(tmpdir(), "tributary-bench-"));
  const runtime = await createRuntime({ coordinator: url, trust: { root }, dataDir });
  const ours: Contestant = {
    name: "ours",
    async open(name) {
      const model = modelOf(name);
      const handle = await runtime.model(name);
      const one = inputValues(model);
      return {
        run: () => timedCall(() => handle.run({ [model.input]: one })),
        runRows(rows) {
          const values = inputValues(model, rows);
          return timedCall(() => handle.run({ [model.input]: values }));
        },
        scores: async () =>
          Object.values((await handle.run({ [model.input]: one })).outputs)[0]!.data as Float32Array,
        close: () => handle.close(),
      };
    },
  };
  return {
    contestants: [raw("rawNode", await ortNode()), raw("rawWasm", await ortWasm()), ours],
    async close() {
      await runtime.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

function raw(name: string, engine: TestEngine): Contestant {
  return {
    name,
    async open(modelName) {
      const model = modelOf(modelName);
      const session = await engine.load(model.build());
      const ask = (values: Float32Array, rows: number) =>
        session.run({ [model.input]: new engine.Tensor("float32", values, [rows, ...model.shape]) });
      const call = (values: Float32Array, rows: number): Promise<Timing> =>
        timedCall(() => ask(values, rows));
      const one = inputValues(model);
      // One after the other: onnxruntime-web refuses a run while another is under way.
      let last: Promise<unknown> = Promise.resolve();
      const inTurn = (run: () => Promise<Timing>): Promise<Timing> => {
        const answer = last.then(run);
        last = answer;
        return answer;
      };
      return {
        run: () => inTurn(() => call(one, 1)),
        runRows: (rows) => inTurn(() => call(inputValues(model, rows), rows)),
        scores: async () => Object.values(await ask(one, 1))[0]!.data as Float32Array,
        close: () => session.release(),
      };
    },
  };
}

function modelOf(name: string): BenchModel {
  return MODELS.find((each) => each.name === name)!;
}

async function timedCall(call: () => Promise<unknown>): Promise<Timing> {
  const begin = performance.now();
  await call();
  const latencyMs = performance.now() - begin;
  return { latencyMs, blockMs: latencyMs };
}
