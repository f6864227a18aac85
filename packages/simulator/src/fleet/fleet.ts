import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker, type WorkerOptions } from "node:worker_threads";
import { failure, silentLogger, toFailure, type Logger } from "@tributary/core";
import type { RuntimeEvent } from "@tributary/runtime";
import { removeOwnLock } from "@tributary/runtime/internal-node";
import type { FleetDevice, FleetWorkerData, FromFleetWorker, ToFleetWorker } from "./fleet-messages.ts";
import { follow, newDeviceView, summarize, type DeviceView, type FleetStatus } from "./fleet-status.ts";
import { endOnRequest } from "./end-on-request.ts";
import { dealt, type FleetDataset } from "./shards.ts";

export interface FleetOptions {
  readonly coordinator: string;
  /** The TUF root its devices pin. */
  readonly trustedRoot: Uint8Array;
  /** Makes an enrolment token for one device; called in this thread. */
  readonly mintToken: () => Promise<string> | string;
  /** Each device keeps its state in `<dataDir>/device-001` and so on, also over restarts. */
  readonly dataDir: string;
  /** @defaultValue 24 */
  readonly devices?: number;
  /** Worker threads the devices are spread over. @defaultValue two, or one on one core */
  readonly threads?: number;
  /** @defaultValue "digits" */
  readonly dataset?: FleetDataset;
  /** Of the data and its distribution. @defaultValue "fleet" */
  readonly seed?: string | number;
  /** Examples each device gets. @defaultValue 300 to 900 */
  readonly examples?: { readonly min: number; readonly max: number };
  /** Dirichlet parameter of the devices' labels, a multiple of 0.5. @defaultValue 1 */
  readonly alpha?: number;
  /** @defaultValue "default" */
  readonly population?: string;
  /** @defaultValue "digits" */
  readonly model?: string;
  /** @defaultValue "digits" */
  readonly task?: string;
  /** The devices' `trust.minimumCohort`; below 16 it is a trial and not private. @defaultValue 16 */
  readonly minimumCohort?: number;
  /** What happens on the devices; progress of single steps is left out. */
  readonly onEvent?: (event: FleetEvent) => void;
  /** @defaultValue silent */
  readonly log?: Logger;
}

export interface FleetEvent {
  /** From 1. */
  readonly device: number;
  readonly event: RuntimeEvent;
}

/** Real Node devices in worker threads: each has its own keys, folder, connection and examples. */
export interface Fleet extends AsyncDisposable {
  readonly status: FleetStatus;
  /** Resolves when every device takes part; rejects when one cannot, or the fleet is closed before. */
  readonly started: Promise<void>;
  /** Ends within two seconds. Idempotent. */
  close(): Promise<void>;
}

const DEFAULTS = {
  devices: 24,
  dataset: "digits",
  seed: "fleet",
  examples: { min: 300, max: 900 },
  alpha: 1,
  population: "default",
  model: "digits",
  task: "digits",
  minimumCohort: 16,
} as const satisfies Partial<FleetOptions>;

const MAX_DEVICES = 10_000;
/** What is known of the devices of a thread that ended. */
const GONE = { connected: false, training: false } as const satisfies Partial<DeviceView>;

/** Starts a fleet. Answers when its threads run; the devices come up by themselves. */
export async function createFleet(options: FleetOptions): Promise<Fleet> {
  const { devices = DEFAULTS.devices, log = silentLogger } = options;
  const { threads = Math.min(2, availableParallelism()) } = options;
  if (!Number.isInteger(devices) || devices < 1 || devices > MAX_DEVICES) {
    throw new RangeError(`createFleet: devices must be an integer from 1 to ${MAX_DEVICES}, got ${devices}`);
  }
  if (!Number.isInteger(threads) || threads < 1 || threads > 64) {
    throw new RangeError(`createFleet: threads must be an integer from 1 to 64, got ${threads}`);
  }
  const views = new Map<number, DeviceView>();
  for (let number = 1; number <= devices; number++) {
    const dataDir = join(options.dataDir, `device-${String(number).padStart(3, "0")}`);
    views.set(number, newDeviceView(dataDir));
  }
  const started = Promise.withResolvers<void>();
  started.promise.catch(() => undefined);
  let closed: Promise<void> | undefined;

  const receive = (worker: Worker, message: FromFleetWorker): void => {
    switch (message.type) {
      case "token-wanted":
        void answerToken(worker, message.id, options.mintToken);
        return;
      case "event":
        follow(views.get(message.device)!, message.event);
        options.onEvent?.({ device: message.device, event: message.event });
        return;
      case "started":
        views.get(message.device)!.examples = message.examples;
        if ([...views.values()].every(({ examples }) => examples !== undefined)) started.resolve();
        return;
      case "bytes": {
        const view = views.get(message.device)!;
        view.bytesUp = message.bytesUp;
        view.bytesDown = message.bytesDown;
        return;
      }
      case "device-failed": {
        const { device, code, message: reason } = message;
        log.error("a device could not start", { device, code, reason });
        started.reject(
          failure("runtime/closed", `fleet: device ${device} could not start: ${code}: ${reason}`),
        );
        return;
      }
      case "closed":
        return;
    }
  };

  const workers = partition(views, threads).map((members) => {
    const worker = new Worker(WORKER_FILE, { ...WORKER_OPTIONS, workerData: dataFor(options, members) });
    worker.on("message", (message: FromFleetWorker) => receive(worker, message));
    worker.on("error", (error) => {
      log.error("a fleet thread ended", { error: toFailure(error) });
      started.reject(error);
    });
    worker.on("exit", () => {
      for (const { number } of members) Object.assign(views.get(number)!, GONE);
    });
    return endOnRequest(worker);
  });

  const close = async (): Promise<void> => {
    started.reject(failure("runtime/closed", "fleet: closed before every device had started"));
    await Promise.all(workers.map((end) => end()));
    for (const { dataDir } of views.values()) removeOwnLock(dataDir);
  };

  const fleet: Fleet = {
    get status() {
      return summarize([...views.values()]);
    },
    started: started.promise,
    close: () => (closed ??= close()),
    [Symbol.asyncDispose]: () => fleet.close(),
  };
  return fleet;
}

// From source the thread runs TypeScript as this one does; conditions are not inherited in every host (vitest).
const FROM_SOURCE = import.meta.url.endsWith(".ts");
const WORKER_FILE = new URL(FROM_SOURCE ? "./fleet-worker.ts" : "./fleet-worker.js", import.meta.url);
const WORKER_OPTIONS: WorkerOptions = FROM_SOURCE ? { execArgv: ["--conditions=@tributary/source"] } : {};

function dataFor(options: FleetOptions, members: readonly FleetDevice[]): FleetWorkerData {
  const {
    coordinator,
    trustedRoot,
    devices = DEFAULTS.devices,
    dataset = DEFAULTS.dataset,
    seed = DEFAULTS.seed,
    examples = DEFAULTS.examples,
    alpha = DEFAULTS.alpha,
    population = DEFAULTS.population,
    model = DEFAULTS.model,
    task = DEFAULTS.task,
    minimumCohort = DEFAULTS.minimumCohort,
  } = options;
  const shardOptions = { devices, seed, examples, alpha };
  const numbers = new Set(members.map(({ number }) => number));
  const shards =
    dataset === "digits"
      ? shardOptions
      : dealt({ ...shardOptions, dataset }).filter((_, i) => numbers.has(i + 1));
  return { coordinator, trustedRoot, population, model, task, minimumCohort, devices: members, shards };
}

/** Devices to threads, in runs of equal length. */
function partition(views: ReadonlyMap<number, DeviceView>, threads: number): FleetDevice[][] {
  const all = [...views].map(([number, { dataDir }]) => ({ number, dataDir }));
  const size = Math.ceil(all.length / threads);
  return Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));
}

async function answerToken(worker: Worker, id: number, mintToken: FleetOptions["mintToken"]): Promise<void> {
  let answer: ToFleetWorker;
  try {
    answer = { type: "token", id, token: await mintToken() };
  } catch (error) {
    answer = { type: "token-refused", id, message: toFailure(error).message };
  }
  worker.postMessage(answer);
}
