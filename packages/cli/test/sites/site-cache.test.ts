import { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { hashSources, SiteCache, type Site } from "../../src/sites/site-cache.ts";
import { siteFolder, type SiteFolder } from "./site-folder.ts";

let folder: SiteFolder;
let site: Site;
let cache: SiteCache;
beforeEach(() => {
  folder = siteFolder();
  ({ site } = folder);
  cache = new SiteCache(folder.cacheFolder);
});
afterEach(() => folder.remove());

describe("the hash of a site's sources", () => {
  test.each([
    ["site/main.ts", "another page"],
    ["site/index.html", "another document"],
    ["package/src/word.ts", "another package's source"],
    ["package/package.json", "a new file"],
    ["lock.yaml", "another version of a dependency"],
  ])("is another after %s changed", (path, text) => {
    const before = hashSources(site);
    folder.write(path, text);
    expect(hashSources(site)).not.toBe(before);
  });

  test("is another when what one file said is said by another", () => {
    folder.write("site/a.ts", "x");
    const before = hashSources(site);
    folder.write("site/a.ts", "");
    folder.write("site/b.ts", "x");
    expect(hashSources(site)).not.toBe(before);
  });

  test("is the same for the same sources, whatever is installed, built or tested", () => {
    const before = hashSources(site);
    for (const path of ["node_modules/x/index.ts", "dist/main.ts", "test/main.test.ts", ".vite/deps.ts"]) {
      folder.write(`site/${path}`, "anything");
      folder.write(`package/${path}`, "anything");
    }
    expect(hashSources(site)).toBe(before);
    expect(before).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe("the cache", () => {
  function staged(hash: string, page: string): string {
    const path = cache.staging(site, hash);
    mkdirSync(path);
    writeFileSync(join(path, "index.html"), page);
    return path;
  }

  test("has a build once it is whole, and never a staged one", () => {
    const path = staged("aa", "one");
    expect(cache.find(site, "aa")).toBeUndefined();
    const published = cache.publish(site, "aa", path);
    expect(cache.find(site, "aa")).toBe(published);
    expect(readFileSync(join(published, "index.html"), "utf8")).toBe("one");
    expect(readdirSync(folder.cacheFolder)).toEqual(["demo-aa"]);
  });

  test("keeps the build of whoever was first: it may be served already", () => {
    const mine = staged("aa", "mine");
    const theirs = `${mine}.theirs`;
    mkdirSync(theirs);
    writeFileSync(join(theirs, "index.html"), "theirs");
    cache.publish(site, "aa", theirs);
    const published = cache.publish(site, "aa", mine);
    expect(readFileSync(join(published, "index.html"), "utf8")).toBe("theirs");
  });

  test("replaces what is no build", () => {
    mkdirSync(join(folder.cacheFolder, "demo-aa/assets"), { recursive: true });
    expect(cache.find(site, "aa")).toBeUndefined();
    const published = cache.publish(site, "aa", staged("aa", "one"));
    expect(readdirSync(published)).toEqual(["index.html"]);
  });

  test("forgets builds of older sources and killed ones, not those of other sites or under way", () => {
    cache.publish(site, "aa", staged("aa", "one"));
    cache.publish({ ...site, name: "dashboard" }, "cc", staged("cc", "dashboard"));
    mkdirSync(join(folder.cacheFolder, "demo-dd.1.building"));
    const killed = join(folder.cacheFolder, "demo-ee.2.building");
    mkdirSync(killed);
    const yesterday = Date.now() / 1000 - 86_400;
    utimesSync(killed, yesterday, yesterday);
    cache.publish(site, "bb", staged("bb", "two"));
    expect(readdirSync(folder.cacheFolder).toSorted()).toEqual([
      "dashboard-cc",
      "demo-bb",
      "demo-dd.1.building",
    ]);
  });
});
