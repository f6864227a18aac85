import { createHash } from "node:crypto";
import {
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join, relative } from "node:path";

/** What Vite builds for a person to look at. */
export interface Site {
  readonly name: "dashboard" | "demo";
  /** Folder of the site's own package, with its `vite.config.ts`. */
  readonly root: string;
  /** Folders whose sources end up in the site. */
  readonly sources: readonly string[];
  /** Files that decide how sources are built and with which dependencies. */
  readonly settings: readonly string[];
}

/** SHA-256 over path and content of every source and setting of the site: the same sources, the same build. */
export function hashSources(site: Site): string {
  const hash = createHash("sha256");
  for (const folder of [site.root, ...site.sources]) {
    const files = globSync(["**/*.{ts,tsx,css,html,svg,json,mjs}"], {
      cwd: folder,
      exclude: (name) => ["node_modules", "dist", "test", ".vite"].includes(name),
    });
    for (const file of files.toSorted()) {
      hash.update(relative(site.root, join(folder, file))).update("\0");
      hash.update(readFileSync(join(folder, file))).update("\0");
    }
  }
  for (const file of site.settings) {
    hash.update(relative(site.root, file)).update("\0").update(readFileSync(file)).update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

/** A build takes seconds: one begun this long ago was killed. */
const ABANDONED_MS = 3_600_000;

/** Where finished builds stand: one folder a site and hash, complete or absent. */
export class SiteCache {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The finished build of these sources, if there is one. */
  find(site: Site, hash: string): string | undefined {
    const path = this.#path(site, hash);
    return isComplete(path) ? path : undefined;
  }

  /** A folder to build into; `publish` moves it into place in one step. */
  staging(site: Site, hash: string): string {
    mkdirSync(this.#folder, { recursive: true });
    return `${this.#path(site, hash)}.${process.pid}.building`;
  }

  /** Moves a build into place, where another process was not first, and forgets those of other sources. */
  publish(site: Site, hash: string, staged: string): string {
    const path = this.#path(site, hash);
    if (this.find(site, hash) === undefined) {
      rmSync(path, { recursive: true, force: true });
      try {
        renameSync(staged, path);
      } catch (error) {
        if (this.find(site, hash) === undefined) throw error;
      }
    }
    this.#forgetOthers(site, hash);
    return path;
  }

  #forgetOthers(site: Site, hash: string): void {
    for (const name of readdirSync(this.#folder)) {
      if (!name.startsWith(`${site.name}-`) || name === `${site.name}-${hash}`) continue;
      const path = join(this.#folder, name);
      if (name.endsWith(".building") && !isOlderThan(path, ABANDONED_MS)) continue;
      rmSync(path, { recursive: true, force: true });
    }
  }

  #path(site: Site, hash: string): string {
    return join(this.#folder, `${site.name}-${hash}`);
  }
}

/** Builds are moved into place whole: where the page is, the rest is. */
export function isComplete(folder: string): boolean {
  return existsSync(join(folder, "index.html"));
}

function isOlderThan(path: string, ageMs: number): boolean {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats !== undefined && stats.mtimeMs < Date.now() - ageMs;
}
