import type { Runtime } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/browser";
import { inputValues, type Contestant, type ModelInfo } from "../contestant.ts";
import { timedCall } from "./main-thread.ts";

export function openRuntime(): Promise<Runtime> {
  return createRuntime({
    coordinator: location.origin,
    trust: { root: new URL("/v1/tuf/1.root.json", location.origin) },
  });
}

/** This project's runtime, as a page uses it. */
export function ours(runtime: Runtime, models: readonly ModelInfo[]): Contestant {
  return {
    name: "ours",
    async open(name) {
      const model = models.find((each) => each.name === name)!;
      const handle = await runtime.model(name);
      const one = inputValues(model);
      return {
        run: () => timedCall(() => handle.run({ [model.input]: one })),
        runRows: (rows) => {
          const values = inputValues(model, rows);
          return timedCall(() => handle.run({ [model.input]: values }));
        },
        scores: async () =>
          Object.values((await handle.run({ [model.input]: one })).outputs)[0]!.data as Float32Array,
        close: () => handle.close(),
      };
    },
  };
}
