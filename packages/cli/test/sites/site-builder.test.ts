import { globSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createSiteBuilder, type SiteBuilder, type SiteState } from "../../src/sites/site-builder.ts";
import { SiteCache } from "../../src/sites/site-cache.ts";
import { siteFolder, type SiteFolder } from "./site-folder.ts";

let folder: SiteFolder;
let phases: SiteState["phase"][];
const builders: SiteBuilder[] = [];
beforeEach(() => {
  folder = siteFolder();
  phases = [];
});
afterEach(async () => {
  for (const builder of builders.splice(0)) await builder.close();
  folder.remove();
});

function newBuilder(): SiteBuilder {
  const builder = createSiteBuilder(folder.site, new SiteCache(folder.cacheFolder), ({ phase }) =>
    phases.push(phase),
  );
  builders.push(builder);
  return builder;
}

const scriptsIn = (built: string): string =>
  globSync("**/*.js", { cwd: built })
    .map((file) => readFileSync(join(built, file), "utf8"))
    .join("\n");

test("builds with Vite on the first request, once, and finds the build again", async () => {
  const builder = newBuilder();
  expect(builder.state.phase).toBe("unbuilt");
  expect(builder.request()).toBeUndefined();
  expect(builder.request()).toBeUndefined();
  expect(builder.state.phase).toBe("building");
  await builder.settled();
  const built = builder.request()!;
  expect(scriptsIn(built)).toContain("river");
  expect(phases).toEqual(["building", "ready"]);

  phases = [];
  const again = newBuilder();
  again.request();
  await again.settled();
  expect(again.request()).toBe(built);
  expect(phases).toEqual(["ready"]);

  folder.write("package/src/word.ts", `export const word: string = "sea";\n`);
  const changed = newBuilder();
  changed.request();
  await changed.settled();
  expect(scriptsIn(changed.request()!)).toContain("sea");
  // That forgot the folder that the first builder serves: it looks again instead of serving nothing.
  expect(builder.request()).toBe(changed.request());
});

test("says why it could not be built, and leaves nothing behind", async () => {
  folder.write("site/main.ts", `import "./missing.ts";\n`);
  const builder = newBuilder();
  builder.request();
  expect(await builder.settled()).toMatchObject({
    phase: "failed",
    reason: expect.stringContaining("missing.ts"),
  });
  expect(builder.request()).toBeUndefined();
  expect(readdirSync(folder.cacheFolder)).toEqual([]);
});

test("closing ends a build under way, which is no failure, and takes no more requests", async () => {
  const builder = newBuilder();
  builder.request();
  await builder.close();
  await builder.close();
  expect(phases).not.toContain("failed");
  expect(readdirSync(folder.cacheFolder)).toEqual([]);
  const closed = newBuilder();
  await closed.close();
  expect(closed.request()).toBeUndefined();
  expect(closed.state.phase).toBe("unbuilt");
});

test("a build that vanished is built again", async () => {
  const builder = newBuilder();
  builder.request();
  await builder.settled();
  rmSync(folder.cacheFolder, { recursive: true });
  expect(builder.request()).toBeUndefined();
  await builder.settled();
  expect(scriptsIn(builder.request()!)).toContain("river");
});
