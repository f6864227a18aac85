import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rawRequest } from "../raw-request.ts";
import { errorCode, runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

const HTML = { accept: "text/html" };
let built: string | undefined;
let coordinator: RunningCoordinator;
beforeAll(async () => {
  coordinator = await runningCoordinator({
    dashboardDir: () => built,
    demoUrl: "http://127.0.0.1:7701/",
  });
});
afterAll(() => coordinator.end());

test("until the dashboard is built, a page says so and loads itself again", async () => {
  const response = await coordinator.request("/", { headers: HTML });
  expect(response.status).toBe(200);
  const text = await response.text();
  expect(text.toLowerCase()).toContain("building");
  expect(text).toContain('http-equiv="refresh"');
  expect(text).not.toContain("<script");
  expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(await errorCode(await coordinator.request("/assets/app.js"))).toBe("http/not-found");
});

test("once it is there, its files are served under a strict policy", async () => {
  const folder = join(coordinator.dataDir, "site");
  await mkdir(join(folder, "assets"), { recursive: true });
  await writeFile(join(folder, "index.html"), "<!doctype html><title>Dashboard</title>");
  await writeFile(join(folder, "assets", "app-1a2b.js"), "export {};");
  await writeFile(join(folder, ".secret"), "hidden");
  built = folder;

  const page = await coordinator.request("/", { headers: HTML });
  expect(await page.text()).toContain("Dashboard");
  expect(page.headers.get("cache-control")).toBe("no-cache");
  const policy = page.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("script-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).toContain("default-src 'self'");
  expect(policy).toContain("require-trusted-types-for 'script'");
  expect(policy).not.toContain("unsafe");
  expect(page.headers.get("x-content-type-options")).toBe("nosniff");

  const script = await coordinator.request("/assets/app-1a2b.js");
  expect(script.headers.get("content-type")).toContain("javascript");
  expect(script.headers.get("cache-control")).toContain("immutable");
  // Not by fetch, which adds "cache-control: no-cache" to conditional requests.
  const again = await rawRequest(`${coordinator.url}/assets/app-1a2b.js`, {
    headers: { "if-none-match": script.headers.get("etag") ?? "" },
  });
  expect(again.status).toBe(304);

  const deep = await coordinator.request("/tasks/digits", { headers: HTML });
  expect(await deep.text()).toContain("Dashboard");
  expect(await errorCode(await coordinator.request("/assets/none.js"))).toBe("http/not-found");
});

test.each([
  "/.secret",
  "/..%2f..%2foperator-token",
  "/%2e%2e/operator-token",
  "/assets/../../operator-token",
])("%s leads nowhere", async (path) => {
  const answer = await rawRequest(coordinator.url + path);
  expect(answer.body).not.toContain("hidden");
  expect(answer.body).not.toContain(coordinator.operatorToken);
  expect(answer.status).toBe(404);
});

test("/demo/ leads to the demo's own origin", async () => {
  const response = await coordinator.request("/demo/");
  expect(response.status).toBe(302);
  expect(response.headers.get("location")).toBe("http://127.0.0.1:7701/");
  const status = (await (await coordinator.request("/v1/status")).json()) as { demoUrl: string };
  expect(status.demoUrl).toBe("http://127.0.0.1:7701/");
});

test("the type of a problem leads to a page about its code, and for programs to the catalogue's entry", async () => {
  const refused = await coordinator.request("/v1/tasks/none");
  expect(refused.headers.get("content-type")).toBe("application/problem+json");
  const problem = (await refused.json()) as { type: string; instance: string; code: string };
  expect(problem.instance).toMatch(/^urn:uuid:[0-9a-f-]{36}$/);

  const page = await coordinator.request(problem.type, { headers: HTML });
  expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
  expect(await page.text()).toContain(problem.code);
  const entry = await coordinator.request(problem.type, { headers: { accept: "application/json" } });
  expect(await entry.json()).toMatchObject({ type: problem.type, code: problem.code, status: 404 });

  const list = await coordinator.request("/problems/", { headers: HTML });
  expect(await list.text()).toContain(`href="${problem.type}"`);
  const unknown = await coordinator.request("/problems/http/of-tomorrow", { headers: HTML });
  expect(await errorCode(unknown)).toBe("http/not-found");
  expect(await (await coordinator.request("/problems/%3Cscript%3E")).text()).not.toContain("<script>");
});
