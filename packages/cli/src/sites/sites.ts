import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { SiteCache, type Site } from "./site-cache.ts";

/** Root of the workspace: the nearest folder above with a pnpm-workspace.yaml. */
function workspaceRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "pnpm-workspace.yaml"))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new Error("the sites are built from the repository's sources, and this is no clone of it");
    folder = parent;
  }
  return folder;
}

const ROOT = workspaceRoot();
const packages = (...names: string[]): string[] => names.map((name) => join(ROOT, "packages", name));

const settings = ["pnpm-lock.yaml", "tsconfig.base.json"].map((name) => join(ROOT, name));

export const SITES: { readonly dashboard: Site; readonly demo: Site } = {
  dashboard: {
    name: "dashboard",
    root: join(ROOT, "coordinator/dashboard"),
    sources: packages("core", "api-client"),
    settings,
  },
  demo: {
    name: "demo",
    root: join(ROOT, "demo"),
    sources: packages(
      "core",
      "tensor",
      "onnx",
      "metrics",
      "secagg",
      "tuf",
      "protocol",
      "federation",
      "engine",
      "runtime",
    ),
    settings,
  },
};

/** Built sites are kept with the installed packages: both depend on this clone alone. */
export function siteCache(): SiteCache {
  return new SiteCache(join(ROOT, "node_modules/.cache/tributary"));
}
