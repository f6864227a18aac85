import { readFile } from "node:fs/promises";
import { buildLinear } from "@tributary/onnx";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Registry } from "prom-client";
import { createRoundMetrics } from "../../src/observability/round-metrics.ts";
import { errorCode, runningCoordinator, type RunningCoordinator } from "../running-coordinator.ts";

const GUIDE = new URL("../../observability/README.md", import.meta.url);

/** Samples by name and labels, as Prometheus reads them. */
function samplesOf(text: string): ReadonlyMap<string, number> {
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
}

describe("GET /metrics", () => {
  let coordinator: RunningCoordinator;
  beforeAll(async () => {
    coordinator = await runningCoordinator();
    const published = await coordinator.request("/v1/models/digits/versions", {
      method: "POST",
      operator: true,
      headers: { "content-type": "application/octet-stream" },
      body: buildLinear({ seed: 1 }) as never,
    });
    expect(published.status).toBe(201);
  });
  afterAll(() => coordinator.end());

  const scrape = async (): Promise<string> => {
    const response = await coordinator.request("/metrics", { operator: true });
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    return await response.text();
  };

  test("says how things stand, to operators alone", async () => {
    const refused = await coordinator.request("/metrics", { operator: false });
    expect([refused.status, await errorCode(refused)]).toEqual([401, "identity/not-authorized"]);

    const samples = samplesOf(await scrape());
    expect(samples.get('tributary_model_version{model="digits",kind="newest"}')).toBe(1);
    expect(samples.get('tributary_devices{state="connected"}')).toBe(0);
    expect(samples.get("tributary_storage_problem")).toBe(0);
    expect(samples.get('tributary_data_dir_bytes{kind="free"}')).toBeGreaterThan(0);
    expect(samples.get("tributary_audit_records")).toBeGreaterThanOrEqual(1);
    const expires = samples.get('tributary_metadata_expires_timestamp_seconds{role="timestamp"}')!;
    expect(expires).toBeGreaterThan(Date.now() / 1_000);
    // Of the process, and again where it is asked again.
    expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(0);
    expect(samplesOf(await scrape()).get("process_resident_memory_bytes")).toBeGreaterThan(0);
  });

  test("times answers by route and never by path", async () => {
    await coordinator.request(`/v1/blobs/${"0".repeat(64)}`);
    await coordinator.request("/nowhere/secret-path");
    const text = await scrape();
    const samples = samplesOf(text);
    const count = (route: string, status: number) =>
      samples.get(
        `tributary_http_request_duration_seconds_count{method="GET",route="${route}",status="${status}"}`,
      );
    expect(count("/v1/blobs/:digest", 404)).toBe(1);
    expect(count("none", 404)).toBeGreaterThanOrEqual(1);
    expect(text).not.toContain("secret-path");
    expect(text).not.toContain(coordinator.operatorToken);
  });

  test("has the metrics that the guide names, and no others of its own", async () => {
    const guide = await readFile(GUIDE, "utf8");
    const named = new Set(guide.match(/\btributary_[a-z_]+/g));
    const served = new Set(
      Array.from((await scrape()).matchAll(/^# TYPE (tributary_\w+)/gm), ([, name]) => name!),
    );
    expect([...served].filter((name) => !named.has(name))).toEqual([]);
    const missing = [...named].filter((name) => !served.has(name.replace(/_(bucket|sum|count)$/, "")));
    expect(missing).toEqual([]);
  });
});

test("rounds are counted once, when they end", async () => {
  const registry = new Registry();
  const metrics = createRoundMetrics(registry);
  const round = {
    id: "r1",
    task: "digits",
    purpose: "train",
    phase: "training",
    endedAt: null,
    seconds: 12,
    offered: 5,
    ready: 4,
    cohort: 4,
    reported: 3,
    dropouts: 1,
    refused: 0,
    bytesUp: 100,
    bytesDown: 200,
    trainLoss: 0.5,
    trainAccuracy: 0.9,
    loss: null,
    accuracy: null,
  };
  const ended = (changes: object) =>
    metrics.changed({ ...round, endedAt: "2026-01-01T00:00:00Z", ...changes } as never);
  metrics.changed(round as never);
  ended({ id: "r1", phase: "abandoned" });
  ended({ id: "r2", phase: "abandoned" });
  let samples = samplesOf(await registry.metrics());
  expect(samples.get('tributary_rounds_abandoned_in_a_row{task="digits"}')).toBe(2);
  ended({ id: "r3", phase: "buffered" });
  ended({ id: "r3", phase: "committed" });
  ended({ id: "r4", phase: "committed" });
  samples = samplesOf(await registry.metrics());
  const total = (outcome: string) =>
    samples.get(`tributary_rounds_total{task="digits",purpose="train",outcome="${outcome}"}`);
  expect([total("abandoned"), total("buffered"), total("committed")]).toEqual([2, 1, 1]);
  expect(samples.get('tributary_rounds_abandoned_in_a_row{task="digits"}')).toBe(0);
  expect(samples.get('tributary_round_devices_total{task="digits",step="reported"}')).toBe(12);
  expect(samples.get('tributary_round_quality{task="digits",measure="loss",data="cohort"}')).toBe(0.5);
  expect(samples.has('tributary_round_quality{task="digits",measure="loss",data="held-out"}')).toBe(false);
});
