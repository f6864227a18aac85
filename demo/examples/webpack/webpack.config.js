import { existsSync } from "node:fs";
import { copyFile, cp } from "node:fs/promises";
import { join } from "node:path";

const here = import.meta.dirname;

export default {
  mode: "production",
  context: here,
  entry: "./src/main.js",
  target: "web",
  output: { path: join(here, "dist"), filename: "main.js", module: true, chunkFormat: "module", clean: true },
  experiments: { outputModule: true },
  performance: { hints: false },
  plugins: [
    {
      apply: (compiler) =>
        compiler.hooks.afterEmit.tapPromise("static files", async () => {
          await copyFile(join(here, "index.html"), join(compiler.outputPath, "index.html"));
          const models = join(here, "public");
          if (existsSync(models)) await cp(models, compiler.outputPath, { recursive: true, force: true });
        }),
    },
  ],
};
