import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type ApiClient, createApiClient } from "@tributary/api-client";
import { type Coordinator, createCoordinator } from "@tributary/coordinator";
import { asModelName, silentLogger } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import { type AccessGrant, parseTaskSpec } from "@tributary/protocol";
import { type Browser, type BrowserContext, chromium, expect as seeWithin } from "playwright/test";
import { temporaryFolder } from "./coordinator-process.ts";
import { builtDashboard } from "./dashboard-build.ts";
import { enrolDevice } from "./enrol-device.ts";
import { giveLongHistory } from "./long-history.ts";
import { findChromium } from "./runner/chromium.ts";
import { createScriptedRound } from "./scripted-round.ts";

const PASSWORD = "correct horse battery";

/** Rounds and versions of the task `learn-letters` and its model. */
export const HISTORY = 10_000;

export const SIZES = {
  desktop: { width: 1280, height: 800 },
  phone: { width: 390, height: 844 },
} as const;

/** Accounts of the room: of all models, but for Maia, who operates one. */
export const ACCOUNTS = {
  viewer: { name: "vera", grants: [{ model: "*", role: "viewer" }] },
  operator: { name: "otto", grants: [{ model: "*", role: "operator" }] },
  auditor: { name: "aino", grants: [{ model: "*", role: "auditor" }] },
  admin: { name: "ada", grants: [{ model: "*", role: "admin" }] },
  "operator of letters": { name: "maia", grants: [{ model: asModelName("letters"), role: "operator" }] },
} as const satisfies Readonly<Record<string, { name: string; grants: readonly AccessGrant[] }>>;
export type Account = keyof typeof ACCOUNTS;

/** A coordinator with one of everything that the dashboard shows, and a browser to look at it. */
export interface DashboardRoom extends AsyncDisposable {
  readonly coordinator: Coordinator;
  readonly api: ApiClient;
  readonly browser: Browser;
  /** Of a device that is enrolled and does nothing. */
  readonly device: string;
  /** Notifications that came to the channel `ops`. */
  readonly told: readonly string[];
  /** A browser's profile where somebody has signed in. */
  signIn(account: Account): Promise<BrowserContext>;
}

export async function openDashboardRoom(): Promise<DashboardRoom> {
  const opened = new AsyncDisposableStack();
  const folder = temporaryFolder();
  opened.defer(() => folder.remove());
  const built = builtDashboard();
  // What becomes of it is asked below, when everything else is there.
  built.catch(() => {});
  const hook = await openHook();
  opened.defer(hook.close);
  const dataDir = join(folder.path, "coordinator");
  const site: { folder?: string } = {};
  const coordinator = await createCoordinator({
    dataDir,
    port: 0,
    dashboardDir: () => site.folder,
    anonymous: "viewer",
    logLevel: "silent",
    notify: { allowHosts: ["*"], allowPrivate: true },
    env: { log: silentLogger, passwordCost: { logN: 4, r: 8, p: 1 } },
  });
  opened.defer(() => coordinator.close());
  const { url, operatorToken } = coordinator;
  const api = createApiClient({ baseUrl: url, token: operatorToken });
  // A round that real devices took part in.
  const round = await createScriptedRound(
    { url, dataDir, operatorToken },
    { name: "digits", model: buildLinear({ seed: 1 }), devices: 3 },
  );
  opened.defer(() => round.close());
  await round.uploadAll((i) => ({ numExamples: 20 + i, fill: 0.001 }));
  await round.committed();
  await api.publishModel("digits", buildLinear({ seed: 2 }), { release: false });
  await api.startRollout("digits", { rollout: "spring", arms: [{ name: "second", version: 3 }], gates: [] });
  await api.publishModel("letters", buildLinear({ seed: 4 }));
  await api.createTask(
    parseTaskSpec({
      name: "learn-letters",
      model: "letters",
      gate: { metric: "loss", minimumDevices: 3 },
      secureAggregation: { mode: "off" },
    }),
  );
  // There is no disk so empty.
  await api.setAlertRule({ name: "space", kind: "disk-almost-full", threshold: 1, severity: "critical" });
  await api.setPolicy({ name: "challenger", dryRun: true, does: { kind: "promote", model: "digits" } });
  await api.setNotificationChannel({ name: "ops", target: { kind: "slack", url: { value: hook.url } } });
  await seeWithin
    .poll(async () => (await api.rounds("learn-letters")).rounds.length, { timeout: 30_000 })
    .toBe(1);
  await api.setTaskState("learn-letters", { state: "paused" });
  giveLongHistory(dataDir, "learn-letters", HISTORY);
  const device = await enrolDevice(coordinator);
  for (const { name, grants } of Object.values(ACCOUNTS))
    await api.addOperator({ name, password: PASSWORD, grants: [...grants] });
  const executablePath = findChromium();
  const browser = await chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: ["--no-sandbox", "--disable-background-networking"],
  });
  opened.defer(() => browser.close());
  site.folder = await built;
  return {
    coordinator,
    api,
    browser,
    device,
    told: hook.told,
    async signIn(account) {
      const context = await browser.newContext({ viewport: SIZES.desktop, reducedMotion: "reduce" });
      const answer = await context.request.post(`${url}/v1/session`, {
        data: { name: ACCOUNTS[account].name, password: PASSWORD },
      });
      if (!answer.ok()) throw new Error(`${account} is not signed in: ${await answer.text()}`);
      return context;
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

/** Where a chat would be. */
async function openHook() {
  const told: string[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
    request.on("end", () => {
      told.push(body);
      response.end("ok");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    told: told as readonly string[],
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
