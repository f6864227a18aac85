/** Puts the runtime into one folder of plain modules, `tributary/`, which any page can import: once, and after each of its updates. */
import { join, resolve } from "node:path";
import { build } from "vite";

await build({
  configFile: false,
  root: import.meta.dirname,
  logLevel: "warn",
  publicDir: false,
  worker: { format: "es" },
  build: {
    outDir: resolve(process.argv[2] ?? join(import.meta.dirname, "tributary")),
    emptyOutDir: true,
    target: ["safari16.4", "chrome113", "firefox114"],
    reportCompressedSize: false,
    rolldownOptions: {
      input: { browser: "@tributary/runtime/browser" },
      preserveEntrySignatures: "strict",
      output: { entryFileNames: "[name].js" },
    },
  },
  base: "./",
});
