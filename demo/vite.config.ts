import { join } from "node:path";
import { defaultClientConditions, defineConfig } from "vite";
import { serviceWorker } from "./service-worker-plugin.ts";

/** Cross-origin isolation gives WASM threads; whoever serves the built folder sends the same headers. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

/** The built page needs no more than this: no inline script or style, WASM compiled from its own origin. */
const contentSecurityPolicy = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "connect-src 'self' http: https: ws: wss:",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

export default defineConfig({
  root: import.meta.dirname,
  base: "./",
  plugins: [serviceWorker(join(import.meta.dirname, "src/offline/service-worker.ts"))],
  resolve: { conditions: ["@tributary/source", ...defaultClientConditions] },
  // Vite's default worker format hangs onnxruntime-web as soon as it has two threads.
  worker: { format: "es" },
  // Pre-bundling would move onnxruntime-web's glue away from its .wasm file.
  optimizeDeps: { exclude: ["onnxruntime-web"] },
  server: { port: 7701, strictPort: true, headers },
  preview: {
    port: 7701,
    strictPort: true,
    headers: { ...headers, "Content-Security-Policy": contentSecurityPolicy },
  },
  build: {
    target: ["safari16.4", "chrome113", "firefox114"],
    // WASM compression is the server's business; the report would gzip 58 MB on every build.
    reportCompressedSize: false,
    chunkSizeWarningLimit: 700,
  },
});
