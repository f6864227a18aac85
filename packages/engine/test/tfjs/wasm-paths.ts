import { fileURLToPath } from "node:url";

/** Where Node finds the files of the WASM backend. */
export const WASM_PATHS: string = fileURLToPath(
  new URL("../wasm-out/", import.meta.resolve("@tensorflow/tfjs-backend-wasm")),
);
