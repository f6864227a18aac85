import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request, type IncomingHttpHeaders } from "node:http";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createDemoServer, type DemoConfig, type DemoServer } from "../src/start/demo-server.ts";
import type { SiteBuilder } from "../src/sites/site-builder.ts";

const unbuilt: SiteBuilder = {
  state: { phase: "building" },
  request: () => undefined,
  settled: () => Promise.resolve({ phase: "building" }),
  close: () => Promise.resolve(),
};

let server: DemoServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function open(
  config: () => DemoConfig | undefined,
  host = "127.0.0.1",
  site: SiteBuilder = unbuilt,
): Promise<DemoServer> {
  server = await createDemoServer({
    host,
    port: 0,
    site,
    config,
    trustedRoot: () => new Uint8Array([123, 125]),
    mintToken: () => Promise.resolve("a-token"),
  });
  return server;
}

test("until the coordinator is there, pages and programs are told to come back", async () => {
  const late: { config?: DemoConfig } = {};
  const { url } = await open(() => late.config);
  const page = await fetch(`${url}/`);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('http-equiv="refresh"');
  for (const path of ["/tributary.json", "/root.json", "/fl-token", "/assets/main.js"]) {
    const answer = await fetch(`${url}${path}`);
    expect([path, answer.status, answer.headers.get("retry-after")]).toEqual([path, 503, "1"]);
  }

  late.config = {
    coordinator: "http://127.0.0.1:7700",
    population: "default",
    model: "digits",
    task: "digits",
    minimumCohort: 16,
  };
  const answer = await fetch(`${url}/tributary.json`);
  expect(await answer.json()).toEqual(late.config);
  expect(answer.headers.get("content-security-policy")).toContain(
    "connect-src 'self' http://127.0.0.1:7700 ws://127.0.0.1:7700;",
  );
  expect(await (await fetch(`${url}/fl-token`)).text()).toBe("a-token");
});

test("a URL that cannot be decoded is refused", async () => {
  const { url } = await open(() => undefined);
  expect((await fetch(`${url}/%zz`)).status).toBe(400);
});

test("says a URL that a browser can open, whatever address it listens on", async () => {
  const { url } = await open(() => undefined, "0.0.0.0");
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  expect((await fetch(url)).status).toBe(200);
});

describe("a built site", () => {
  const CONFIG: DemoConfig = {
    coordinator: "http://127.0.0.1:7700",
    population: "default",
    model: "digits",
    task: "digits",
    minimumCohort: 16,
  };
  let folder: string;
  let url: string;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "tributary-demo-server-"));
    mkdirSync(join(folder, "site/assets"), { recursive: true });
    writeFileSync(join(folder, "secret.txt"), "SECRET");
    writeFileSync(join(folder, "site/index.html"), "<!doctype html><title>Built</title>");
    writeFileSync(join(folder, "site/assets/main-1a2b.js"), "void 0;");
    const ready = { phase: "ready", folder: join(folder, "site") } as const;
    ({ url } = await open(() => CONFIG, "127.0.0.1", {
      ...unbuilt,
      state: ready,
      request: () => ready.folder,
    }));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** A request as it is: no header added, no path tidied up. */
  function raw(path: string, headers: Readonly<Record<string, string>> = {}): Promise<RawAnswer> {
    const { port } = new URL(url);
    return new Promise((resolve, reject) => {
      const sent = request({ host: "127.0.0.1", port, path, headers, agent: false }, (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
        answer.on("end", () => resolve({ status: answer.statusCode!, headers: answer.headers, body }));
      });
      sent.on("error", reject).end();
    });
  }

  test.each(["/", "/assets/main-1a2b.js", "/tributary.json", "/root.json", "/fl-token", "/none"])(
    "%s is isolated from other origins and may reach the coordinator alone",
    async (path) => {
      const { headers } = await raw(path);
      expect(headers).toMatchObject({
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-embedder-policy": "require-corp",
        "cross-origin-resource-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
      });
      const policy = headers["content-security-policy"]!.toString().split("; ");
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).toContain("connect-src 'self' http://127.0.0.1:7700 ws://127.0.0.1:7700");
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    },
  );

  test("files named by their content are kept for ever, the page is asked for each time, secrets are not kept", async () => {
    const caching = async (path: string): Promise<unknown> => (await raw(path)).headers["cache-control"];
    expect(await caching("/assets/main-1a2b.js")).toBe("public, max-age=31536000, immutable");
    expect(await caching("/")).toBe("no-cache");
    for (const path of ["/fl-token", "/root.json", "/tributary.json"])
      expect(await caching(path)).toBe("no-store");
    expect(await raw("/?theme=dark")).toMatchObject({ status: 200, body: expect.stringContaining("Built") });
    expect(await raw("/none")).toMatchObject({ status: 404 });
  });

  test.each([
    [undefined, 200],
    ["same-origin", 200],
    ["same-site", 403],
    ["cross-site", 403],
    ["none", 403],
  ])("a page of Sec-Fetch-Site %s asking for a token gets %i", async (site, status) => {
    const answer = await raw("/fl-token", site === undefined ? {} : { "sec-fetch-site": site });
    expect(answer.status).toBe(status);
    expect(answer.body.includes("a-token")).toBe(status === 200);
  });

  test.each([
    ["127.0.0.1", 200],
    ["localhost:7701", 200],
    ["[::1]:7701", 200],
    ["rebound.evil.example", 421],
    ["127.0.0.1.evil.example:7701", 421],
    ["localhost.evil.example", 421],
  ])("the host %s is answered with %i, whatever is asked for", async (host, status) => {
    for (const path of ["/", "/fl-token", "/assets/main-1a2b.js"]) {
      const answer = await raw(path, { host });
      expect([path, answer.status]).toEqual([path, status]);
      if (status === 421) expect(answer.body).not.toMatch(/Built|a-token|void/);
    }
  });

  test.each([
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/assets/../../secret.txt",
    "/assets/..%2f..%2fsecret.txt",
    "/..%5csecret.txt",
    "//../secret.txt",
    "/%2e%2e%2fsecret.txt%00.html",
  ])("%s leads out of the site to nothing", async (path) => {
    const answer = await raw(path);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.body).not.toContain("SECRET");
  });
});

test("a port in use is named", async () => {
  const taken = createServer();
  const port = await new Promise<number>((resolve) =>
    taken.listen(0, "127.0.0.1", () => resolve((taken.address() as AddressInfo).port)),
  );
  const started = createDemoServer({
    host: "127.0.0.1",
    port,
    site: unbuilt,
    config: () => undefined,
    trustedRoot: () => new Uint8Array(),
    mintToken: () => Promise.resolve(""),
  });
  await expect(started).rejects.toMatchObject({
    code: "cli/port-in-use",
    detail: { host: "127.0.0.1", port },
  });
  taken.close();
});

interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
