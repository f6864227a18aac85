import { join, resolve } from "node:path";
import { createApiClient, subscribeEvents } from "@tributary/api-client";
import { createCoordinator, type Coordinator } from "@tributary/coordinator";
import { createFleet } from "@tributary/simulator";
import { createSiteBuilder, type SiteBuilder } from "../sites/site-builder.ts";
import { siteCache, SITES } from "../sites/sites.ts";
import { loadDataset } from "./dataset.ts";
import { createDemoServer } from "./demo-server.ts";
import { MODEL, POPULATION, TASK } from "./digits-task.ts";
import { ensureModel, ensureTask } from "./ensure.ts";
import { createProgress, type Progress } from "./progress.ts";
import { createShutdown } from "./shutdown.ts";

/** What `tributary start` was asked for. */
export interface StartOptions {
  readonly port: number;
  readonly demoPort?: number;
  readonly host: string;
  readonly dataDir: string;
  readonly devices: number;
  readonly rounds: number;
  readonly fleet: boolean;
  readonly dataset?: string;
}

/** Composes coordinator, issuer, fleet and demo in one process and serves until it is told to stop. */
export async function start(options: StartOptions): Promise<void> {
  const progress = createProgress(process.stdout);
  const shutdown = createShutdown(() => {
    progress.stop();
    progress.line("stopping");
  });
  try {
    await compose(options, progress, shutdown);
  } catch (error) {
    progress.stop();
    await shutdown.close();
    if (!shutdown.signal.aborted) throw error;
  }
}

async function compose(
  options: StartOptions,
  progress: Progress,
  shutdown: ReturnType<typeof createShutdown>,
): Promise<void> {
  const dataDir = resolve(options.dataDir);
  const dataset = await loadDataset(options.dataset);
  const dashboard = createSite("dashboard", progress);
  const demo = createSite("demo", progress);
  shutdown.onClose(() => Promise.all([dashboard.close(), demo.close()]));

  const demoPort = options.demoPort ?? (options.port === 0 ? 0 : options.port + 1);
  let coordinator: Coordinator | undefined;
  const demoServer = await createDemoServer({
    host: options.host,
    port: demoPort,
    site: demo,
    config: () => ({ coordinator: coordinator!.url, population: POPULATION, model: MODEL, task: TASK }),
    trustedRoot: () => coordinator!.tufRoot,
    mintToken: () => coordinator!.mintEnrolmentToken(POPULATION),
  });
  shutdown.onClose(() => demoServer.close());

  coordinator = await createCoordinator({
    host: options.host,
    port: options.port,
    dataDir,
    allowOrigins: { [POPULATION]: [demoServer.url, demoServer.url.replace("127.0.0.1", "localhost")] },
    dashboardDir: () => dashboard.request(),
    demoUrl: demoServer.url,
  });
  const running = coordinator;
  shutdown.onClose(() => running.close());

  const api = createApiClient({ baseUrl: running.url, token: running.operatorToken });
  progress.line(`dashboard  ${running.url}/`);
  progress.line(`demo       ${demoServer.url}/`);
  await ensureModel(api, progress);
  const task = await ensureTask(api, { devices: options.devices, rounds: options.rounds, dataset });

  if (options.fleet) {
    progress.step(`starting ${options.devices} devices`);
    const fleet = await createFleet({
      coordinator: running.url,
      trustedRoot: running.tufRoot,
      mintToken: () => running.mintEnrolmentToken(POPULATION),
      devices: options.devices,
      dataDir: join(dataDir, "fleet"),
      dataset: dataset.training,
      model: MODEL,
      task: TASK,
    });
    shutdown.onClose(() => fleet.close());
  }
  if (options.rounds > 0) await watchRounds(running.url, task.until, progress, shutdown.signal);
  if (shutdown.signal.aborted) return;
  progress.stop();
  progress.line(`\nserving; dashboard ${running.url}/, demo ${demoServer.url}/; Ctrl-C stops`);
}

/** Shows rounds until the task has committed `until` of them, or the start was interrupted. */
async function watchRounds(
  url: string,
  until: number,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  await new Promise<void>((resolveWatch) => {
    const subscription = subscribeEvents(url, {
      signal,
      onEvent: (event) => {
        if (event.type === "round" && event.data.task === TASK) progress.round(event.data);
        const finished =
          event.type === "task" && event.data.name === TASK && event.data.roundsCommitted >= until;
        if (finished && event.data.state === "finished") end();
      },
      onState: () => {},
    });
    const end = (): void => {
      subscription.close();
      resolveWatch();
    };
    signal.addEventListener("abort", end, { once: true });
  });
}

function createSite(name: "dashboard" | "demo", progress: Progress): SiteBuilder {
  return createSiteBuilder(SITES[name], siteCache(), (state) => {
    if (state.phase === "failed") progress.line(`the ${name} could not be built: ${state.reason}`);
  });
}
