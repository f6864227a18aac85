import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin, type ResolvedConfig } from "vite";

const NAME = "service-worker.js";

/** Builds the page's service worker when everything else is built, and tells it which files there are. */
export function serviceWorker(entry: string): Plugin {
  let config: ResolvedConfig;
  return {
    name: "demo-service-worker",
    apply: "build",
    configResolved(resolved) {
      config = resolved;
    },
    async writeBundle({ dir = join(config.root, config.build.outDir) }) {
      const files = readdirSync(dir, { recursive: true, withFileTypes: true })
        .filter((file) => file.isFile() && file.name !== NAME)
        .map(({ parentPath, name }) => join(parentPath, name).slice(dir.length + 1))
        .map((path) => path.replaceAll("\\", "/"))
        .toSorted();
      const engines = files.filter((path) => path.endsWith(".wasm"));
      const shell = files.filter((path) => !engines.includes(path));
      const version = createHash("sha256");
      for (const path of shell) version.update(`${path}\0`).update(readFileSync(join(dir, path)));
      await build({
        configFile: false,
        root: config.root,
        logLevel: "warn",
        publicDir: false,
        define: {
          __SHELL__: JSON.stringify(shell),
          __ENGINES__: JSON.stringify(engines),
          __VERSION__: JSON.stringify(version.digest("hex").slice(0, 16)),
        },
        build: {
          target: config.build.target,
          outDir: dir,
          emptyOutDir: false,
          reportCompressedSize: false,
          // A script, not a module: Firefox runs no modules as service workers.
          lib: { entry, name: "serviceWorker", formats: ["iife"], fileName: () => NAME },
        },
      });
    },
  };
}
