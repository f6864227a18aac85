import { join, resolve } from "node:path";
import { createApiClient, subscribeEvents } from "@tributary/api-client";
import type { Coordinator } from "@tributary/coordinator";
import { createFleet } from "@tributary/simulator";
import { counted } from "../counted.ts";
import { loadDataset } from "./dataset.ts";
import { floorFor, MODEL, POPULATION, PRIVATE_COHORT, privacyLine, TASK } from "./digits-task.ts";
import { ensureModel, ensureTask } from "./ensure.ts";
import { createProgress, type Progress } from "./progress.ts";
import { createShutdown, type Shutdown } from "./shutdown.ts";
import { createStack, isLoopback } from "./stack.ts";

/** What `tributary start` was asked for. */
export interface StartOptions {
  readonly port: number;
  readonly demoPort?: number;
  readonly host: string;
  readonly dataDir: string;
  readonly devices: number;
  readonly rounds: number;
  readonly fleet: boolean;
  /** False: the task opts out, and the coordinator sees each update. */
  readonly secureAggregation: boolean;
  readonly dataset?: string;
}

/** What browsers keep from pages that came over plain HTTP from another machine. */
const NOT_SECURE =
  "note       pages opened on other machines over plain http are no secure context: no device keys, no WebGPU, no threads. The dashboard works; for the demo put https in front";

/** Composes coordinator, issuer, fleet and demo in one process and serves until it is told to stop. */
export async function start(options: StartOptions): Promise<void> {
  const progress = createProgress(process.stdout);
  const shutdown = createShutdown(() => {
    progress.stop();
    progress.line("stopping");
  });
  try {
    await run(options, progress, shutdown);
  } catch (error) {
    progress.stop();
    await shutdown.close();
    if (!shutdown.signal.aborted) throw error;
  }
}

async function run(options: StartOptions, progress: Progress, shutdown: Shutdown): Promise<void> {
  const dataDir = resolve(options.dataDir);
  const dataset = await loadDataset(options.dataset);
  // Known once the task is; the demo needs a server before.
  const allowed: { minimumCohort?: number } = {};
  const stack = await createStack({
    host: options.host,
    port: options.port,
    demoPort: options.demoPort ?? (options.port === 0 ? 0 : options.port + 1),
    dataDir,
    minimumCohort: () => allowed.minimumCohort,
    onNotice: (text) => progress.line(text),
  });
  shutdown.onClose(() => stack.close());
  const { coordinator, demoUrl } = stack;
  for (const line of reachLines(options.host, coordinator, demoUrl)) progress.line(line);

  const api = createApiClient({ baseUrl: coordinator.url, token: coordinator.operatorToken });
  await ensureModel(api, progress);
  const { until, spec } = await ensureTask(api, { ...options, dataset });
  // The app that embeds these devices allows a trial, and says so.
  const minimumCohort = spec === undefined ? PRIVATE_COHORT : floorFor(spec);
  allowed.minimumCohort = minimumCohort;
  if (spec !== undefined) progress.line(`privacy    ${privacyLine(spec)}`);
  if (options.fleet) {
    progress.step(`starting ${counted(options.devices, "device")}`);
    const fleet = await createFleet({
      coordinator: coordinator.url,
      trustedRoot: coordinator.tufRoot,
      mintToken: () => coordinator.mintEnrolmentToken(POPULATION),
      devices: options.devices,
      dataDir: join(dataDir, "fleet"),
      dataset: dataset.training,
      minimumCohort,
      population: POPULATION,
      model: MODEL,
      task: TASK,
    });
    shutdown.onClose(() => fleet.close());
    fleet.started.catch((error: unknown) =>
      progress.line(`a device could not start: ${(error as Error).message}`),
    );
  }
  await watchRounds(coordinator, until, progress, shutdown.signal);
  if (shutdown.signal.aborted) return;
  progress.stop();
  progress.line(`\nserving: dashboard ${coordinator.url}/, demo ${demoUrl}/; Ctrl-C stops`);
  progress.line(`more rounds: start again, or run \`tributary task resume ${TASK} --rounds 10\` beside this`);
}

/** Where things are, and, where others can reach them, what does not work there and how one signs in. */
export function reachLines(
  host: string,
  { url, setupUrl }: Pick<Coordinator, "url" | "setupUrl">,
  demoUrl: string,
): string[] {
  const places = [`dashboard  ${url}/`, `demo       ${demoUrl}/`];
  // On this machine alone everyone may look.
  if (isLoopback(host)) return places;
  const account =
    setupUrl === null ? [] : [`account    the first one is made at ${setupUrl}: once, within a day`];
  return [...places, NOT_SECURE, ...account];
}

/** Shows rounds until interrupted; resolves when the task has committed `until` of them. */
function watchRounds(
  { url, operatorToken: token }: Pick<Coordinator, "url" | "operatorToken">,
  until: number | null,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const reached = Promise.withResolvers<void>();
  if (until === null) reached.resolve();
  const subscription = subscribeEvents(url, {
    signal,
    token,
    onEvent: (event) => {
      if (event.type === "round" && event.data.task === TASK) progress.round(event.data);
      if (event.type !== "task" || event.data.name !== TASK) return;
      if (event.data.state === "finished" && event.data.roundsCommitted >= (until ?? 0)) reached.resolve();
    },
  });
  void subscription.ended.then(() => reached.resolve());
  return reached.promise;
}
