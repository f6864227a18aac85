import { afterEach, expect, test } from "vitest";
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

async function open(config: () => DemoConfig | undefined, host = "127.0.0.1"): Promise<DemoServer> {
  server = await createDemoServer({
    host,
    port: 0,
    site: unbuilt,
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
