import { parentPort, workerData } from "node:worker_threads";
import { build } from "vite";

/** Builds one site with its own `vite.config.ts`; runs in a worker thread so that rounds go on meanwhile. */
const { root, outDir } = workerData as { readonly root: string; readonly outDir: string };

// The build is kept for whoever comes next: it must not be that of a test's or developer's environment.
process.env["NODE_ENV"] = "production";

try {
  await build({ root, logLevel: "error", build: { outDir, emptyOutDir: true } });
  parentPort?.postMessage({ ok: true });
} catch (error) {
  parentPort?.postMessage({ ok: false, message: error instanceof Error ? error.message : String(error) });
}
