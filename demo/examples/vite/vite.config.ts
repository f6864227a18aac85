import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  // Vite's default format of workers cannot be split, and the runtime's is: what learns is loaded when a page takes part in rounds.
  worker: { format: "es" },
  // Pre-bundling would move onnxruntime-web's glue away from its .wasm file.
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  build: {
    target: ["safari16.4", "chrome113", "firefox114"],
    // These browsers need no polyfill of it, and what a page loads later is small.
    modulePreload: false,
    reportCompressedSize: false,
  },
});
