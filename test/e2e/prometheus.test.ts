import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createApiClient } from "@tributary/api-client";
import { createCoordinator } from "@tributary/coordinator";
import { buildLinear } from "@tributary/onnx";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { temporaryFolder } from "../src/coordinator-process.ts";
import { hasPrometheus } from "../src/runner/prometheus.ts";

const FOLDER = join(import.meta.dirname, "../../coordinator/observability");
const text = (name: string): string => readFileSync(join(FOLDER, name), "utf8");

let opened = new AsyncDisposableStack();
beforeEach(() => void (opened = new AsyncDisposableStack()));
afterEach(() => opened.disposeAsync());

interface Panel {
  readonly title: string;
  readonly targets: readonly { readonly expr: string }[];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

if (!hasPrometheus()) console.log("skipped: no Prometheus (Debian: apt-get install prometheus)");

describe.skipIf(!hasPrometheus())("Prometheus", () => {
  test("takes the rules of alerts, and fires them when it should", () => {
    const { status, stdout, stderr } = spawnSync("promtool", ["test", "rules", "alerts.test.yml"], {
      cwd: FOLDER,
      encoding: "utf8",
    });
    expect(stdout + stderr).toContain("SUCCESS");
    expect(status).toBe(0);
    // None is left out.
    const alerts = text("alerts.yml").match(/(?<=alert: )\w+/g)!;
    for (const name of alerts) expect(text("alerts.test.yml")).toContain(`alertname: ${name}\n`);
  });

  test("understands every expression of the dashboard, which asks for nothing that is not served", () => {
    const folder = temporaryFolder();
    opened.defer(() => folder.remove());
    const { panels } = JSON.parse(text("grafana-dashboard.json")) as { panels: readonly Panel[] };
    const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const rules = expressions.map((expr, i) => ({
      record: `panel_${i}`,
      expr: expr.replaceAll("$__rate_interval", "5m"),
    }));
    const path = join(folder.path, "panels.json");
    writeFileSync(path, JSON.stringify({ groups: [{ name: "panels", rules }] }));
    expect(execFileSync("promtool", ["check", "rules", path], { encoding: "utf8" })).toContain(
      `${expressions.length} rules found`,
    );
    const named = new Set(expressions.join(" ").match(/\btributary_\w+/g));
    expect(named.size).toBeGreaterThan(8);
    for (const name of named) expect(text("README.md")).toContain(name.replace(/_(bucket|count|sum)$/, ""));
  });

  test("scrapes a coordinator by the configuration that comes with it", async () => {
    const folder = temporaryFolder();
    opened.defer(() => folder.remove());
    const dataDir = join(folder.path, "coordinator");
    const coordinator = await createCoordinator({ dataDir, port: 0, logLevel: "silent" });
    opened.defer(() => coordinator.close());
    const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
    await api.publishModel("digits", buildLinear({ seed: 1 }));

    const config = text("prometheus.yml")
      .replace("/var/lib/tributary/operator-token", join(dataDir, "operator-token"))
      .replace("127.0.0.1:7700", new URL(coordinator.url).host)
      .replace("alerts.yml", join(FOLDER, "alerts.yml"))
      .replace("scrape_interval: 15s", "scrape_interval: 1s");
    const path = join(folder.path, "prometheus.yml");
    writeFileSync(path, config);
    const address = `127.0.0.1:${await freePort()}`;
    const server = spawn(
      "prometheus",
      [
        `--config.file=${path}`,
        `--storage.tsdb.path=${join(folder.path, "tsdb")}`,
        `--web.listen-address=${address}`,
      ],
      { stdio: "ignore" },
    );
    const ended = once(server, "exit");
    opened.defer(async () => {
      server.kill();
      await ended;
    });
    const value = async (query: string): Promise<number> => {
      const answer = await fetch(`http://${address}/api/v1/query?query=${encodeURIComponent(query)}`);
      const { data } = (await answer.json()) as {
        data: { result: readonly { value: [number, string] }[] };
      };
      return Number(data.result[0]?.value[1]);
    };
    await vi.waitFor(
      async () => expect(await value('tributary_model_version{model="digits", kind="released"}')).toBe(1),
      { timeout: 20_000, interval: 100 },
    );
    await api.publishModel("digits", buildLinear({ seed: 2 }));
    await vi.waitFor(
      async () => expect(await value('tributary_model_version{model="digits", kind="newest"}')).toBe(2),
      { timeout: 20_000, interval: 100 },
    );
  }, 120_000);
});
