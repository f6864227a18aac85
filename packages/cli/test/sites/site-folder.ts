import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Site } from "../../src/sites/site-cache.ts";

/** A small site of its own in a folder that goes away with the test. */
export interface SiteFolder {
  readonly site: Site;
  /** Where builds may stand. */
  readonly cacheFolder: string;
  /** Writes a file, its path relative to the folder that holds `site/` and `package/`. */
  write(path: string, text: string): void;
  remove(): void;
}

export function siteFolder(): SiteFolder {
  const path = mkdtempSync(join(tmpdir(), "tributary-site-"));
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), text);
  };
  write(
    "site/index.html",
    `<!doctype html><title>Site</title><script type="module" src="./main.ts"></script>`,
  );
  write("site/main.ts", `import { word } from "../package/src/word.ts";\ndocument.title = word;\n`);
  write("lock.yaml", "vite: 8.3.8\n");
  write("package/src/word.ts", `export const word: string = "river";\n`);
  return {
    site: {
      name: "demo",
      root: join(path, "site"),
      sources: [join(path, "package")],
      settings: [join(path, "lock.yaml")],
    },
    cacheFolder: join(path, "cache"),
    write,
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}
