/** TensorFlow.js beside a coordinator whose operator installed it: what evaluates models of it, and trains on trusted examples. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Engine } from "@tributary/engine";

/** Its packages as the engine's package finds them. */
function found(name: string): string | undefined {
  try {
    return createRequire(import.meta.resolve("@tributary/engine/tfjs")).resolve(name);
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
 * @throws `engine/unavailable`, or what importing it throws where it is not installed
 */
export async function openTfjsEngine(): Promise<Engine> {
  const { createTfjsEngine } = await import("@tributary/engine/tfjs");
  const wasm = found("@tensorflow/tfjs-backend-wasm");
  if (wasm === undefined) return await createTfjsEngine({ backend: "cpu" });
  return await createTfjsEngine({ backend: "wasm", wasmPaths: join(dirname(wasm), "../wasm-out/") });
}
