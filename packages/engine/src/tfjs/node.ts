/** TensorFlow.js as an operator of a Node process installed it beside Tributary, which does not bring it along. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { failure } from "@tributary/core";
import type { Engine } from "../engine.ts";

/** Where a package of it lies, as this package finds it. */
function found(name: string): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(name);
  } catch {
    return undefined;
  }
}

/** Whether it is there; nothing is loaded. */
export function isTfjsInstalled(): boolean {
  return found("@tensorflow/tfjs") !== undefined;
}

/**
 * On WASM where that backend is installed, too, else in plain JavaScript.
 *
 * @throws `engine/unavailable` where it is not installed
 */
export async function openInstalledTfjs(): Promise<Engine> {
  if (!isTfjsInstalled()) {
    throw failure(
      "engine/unavailable",
      "tfjs: install @tensorflow/tfjs (and @tensorflow/tfjs-backend-wasm, some twenty times faster) for models of TensorFlow.js",
    );
  }
  const { createTfjsEngine } = await import("./index.ts");
  const wasm = found("@tensorflow/tfjs-backend-wasm");
  if (wasm === undefined) return await createTfjsEngine({ backend: "cpu" });
  return await createTfjsEngine({ backend: "wasm", wasmPaths: join(dirname(wasm), "../wasm-out/") });
}
