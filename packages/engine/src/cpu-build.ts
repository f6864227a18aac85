import { failure, TributaryError } from "@tributary/core";
import type { Engine } from "./engine.ts";

/** What onnxruntime says of an operator that its build leaves out. */
const MISSING_OPERATOR = /No Op registered for|Could not find an implementation for/u;

/**
 * The builds with WebGPU leave out the operators of ai.onnx.ml, which scikit-learn's models are made of. Such a model is loaded by the
 * build for the CPU, whose file is fetched for the first of them.
 */
export function withCpuBuild(engine: Engine, openCpuBuild: () => Promise<Engine>): Engine {
  let opening: Promise<Engine> | undefined;
  let closed = false;
  const cpuBuild = (): Promise<Engine> => {
    opening ??= openCpuBuild().catch((error: unknown) => {
      opening = undefined; // a lost connection while the file was on its way
      throw error;
    });
    return opening;
  };
  return {
    name: engine.name,
    async load(model, options) {
      try {
        return await engine.load(model, options);
      } catch (error) {
        if (!TributaryError.is(error) || !MISSING_OPERATOR.test(error.message)) throw error;
        const other = await cpuBuild();
        if (closed) throw failure("engine/closed", `${engine.name}: closed while a model was loading`);
        return await other.load(model, options);
      }
    },
    async close() {
      closed = true;
      await Promise.all([engine.close(), opening?.then((other) => other.close())]);
    },
  };
}
