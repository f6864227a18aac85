import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  failure,
  toFailure,
  type DeviceId,
  type Digest,
  type ModelName,
  type RoundId,
  type TaskName,
} from "@tributary/core";
import { roundEnded } from "@tributary/federation";
import { bufferedMode, refusalOf } from "@tributary/protocol";
import type { GatewayHandler, RoundMessage, ConnectedDevice } from "../gateway/gateway-types.ts";
import type { AccessPolicy } from "../http/access-policy.ts";
import type { App } from "../http/app.ts";
import type { Rounds } from "../rooms.ts";
import { ActivityNews } from "./activity-news.ts";
import { registerBufferRoute } from "./buffered/buffer-route.ts";
import { BufferedDriver } from "./buffered/buffered-driver.ts";
import type { Driver, TaskActivity } from "./driver.ts";
import { createEvaluator } from "./evaluator.ts";
import { JournalWriter } from "./journal-writer.ts";
import type { RoundRun } from "./round-run.ts";
import type { RoundServices } from "./round-services.ts";
import { registerSecureRoutes } from "./secure/secure-route.ts";
import { registerSuspicionRoutes } from "./secure/suspicion-routes.ts";
import { createUnmasker } from "./secure/unmasker.ts";
import { registerTaskActivityRoute } from "./task-activity-route.ts";
import { TaskDesk } from "./task-desk.ts";
import { TaskDriver } from "./task-driver.ts";
import { registerUploadRoute } from "./upload-route.ts";

export interface RoundsOptions extends Omit<RoundServices, "journals"> {
  readonly dataDir: string;
  readonly access: Pick<AccessPolicy, "deviceAllowed">;
  /** Raw Ed25519 public key (32 bytes) of the issuer of device certificates. */
  readonly issuerPublicKey: Uint8Array;
}

/** The rounds, with what the gateway uses of them. */
export interface RoundsRoom extends Rounds {
  /** For the gateway: what devices say. */
  readonly handler: GatewayHandler;
  /** Devices with an open offer, over all tasks. */
  training(): number;
  /** Of a task that has rounds here; undefined: there is none of that name. */
  activity(task: TaskName): TaskActivity | undefined;
}

/** Runs the federation's machine for every running task, with the real clock, sockets and disk. */
export function createRounds(options: RoundsOptions): RoundsRoom {
  const { env, store, bus, access, issuerPublicKey } = options;
  const { clock, log } = env;
  const uploadFolder = join(options.dataDir, "uploads");
  const evaluator = createEvaluator({ blobs: options.blobs, clock });
  const unmasker = createUnmasker();
  const journals = new JournalWriter(store);
  const drivers = new Map<TaskName, Driver>();
  const news = new ActivityNews({
    clock,
    bus,
    activities: () => Array.from(drivers, ([name, driver]) => [name, driver.activity()] as const),
  });
  const services = { ...options, evaluator, unmasker, journals, activityChanged: news.touched };
  const desk = new TaskDesk(clock);
  let closing: Promise<void> | undefined;

  const findRun = (roundId: RoundId): RoundRun | undefined => {
    for (const { runs } of drivers.values())
      for (const run of runs) if (run.config.roundId === roundId && !roundEnded(run.state)) return run;
    return undefined;
  };

  const taskChanged = async (name: TaskName): Promise<void> => {
    if (closing !== undefined) return;
    const driver = drivers.get(name);
    if (driver !== undefined) return driver.changed();
    const task = await store.tasks.get(name);
    if (task === undefined || drivers.has(name) || closing !== undefined) return;
    const mode = bufferedMode(task.spec);
    const given = { services, desk, task, uploadFolder };
    drivers.set(name, mode === null ? new TaskDriver(given) : new BufferedDriver({ ...given, mode }));
  };

  /** What a channel points to says nothing about what tasks train from: whatever was published does. */
  const released = async (model: ModelName): Promise<void> => {
    const head = (await store.models.get(model))?.currentVersion;
    if (head === undefined) return;
    const training = [...drivers.values()].filter(({ task }) => task.model === model);
    await Promise.all(training.map((driver) => driver.baseReplaced(head)));
  };

  const subscriptions = [
    bus.subscribe("task", ({ task }) => {
      taskChanged(task).catch((error: unknown) => log.error("task could not be driven", { task, error }));
    }),
    bus.subscribe("release", ({ model }) => {
      released(model).catch((error: unknown) => log.error("round could not be replaced", { error }));
    }),
    bus.subscribe("head", ({ model, version }) => {
      for (const driver of drivers.values()) if (driver.task.model === model) driver.headReset(version);
    }),
  ];

  /** A device's message about a task or round; what is wrong with it is told to the device alone. */
  const receive = (from: ConnectedDevice, message: RoundMessage): void => {
    const { device } = from;
    switch (message.type) {
      case "check-in":
        return requireDriver(message.task).checkIn(from, message.examples);
      case "ineligible":
        return requireDriver(message.task).ineligible(from, message.reason);
      case "leave":
        return drivers.get(message.task)?.leave(device);
      case "ready": {
        const { numExamples, updateDigest, sizeBytes } = message;
        const run = findRun(message.roundId);
        if (run === undefined) return stale(device, message.roundId);
        return run.give({ type: "ready", device, numExamples, updateDigest, sizeBytes });
      }
      case "secure-ready": {
        const { roundId, certificate, commitment } = message;
        const run = findRun(roundId);
        if (run === undefined) return stale(device, roundId);
        run
          .secureReady(device, { certificate, commitment })
          .catch((error: unknown) => refuse(from, message, error));
        return;
      }
      case "decline": {
        const run = findRun(message.roundId);
        run?.give({ type: "decline", device, code: message.code });
        if (run !== undefined) drivers.get(run.config.task)?.declined(device, run, message.code);
        return;
      }
      default: {
        const never: never = message;
        throw new TypeError(`rounds: no such message ${String(never)}`);
      }
    }
  };

  const stale = (device: DeviceId, roundId: RoundId): void => {
    options.send(device, { type: "outcome", roundId, result: "late", code: "round/stale-round" });
  };

  const refuse = (from: ConnectedDevice, { type }: RoundMessage, error: unknown): void => {
    const coded = toFailure(error);
    log.info("message of a device refused", { ...from, type, error });
    options.send(from.device, refusalOf(coded, coded.retryable ? { retryAfterMs: 5_000 } : {}));
  };

  const requireDriver = (name: TaskName): Driver => {
    const driver = drivers.get(name);
    if (driver !== undefined) return driver;
    throw failure("federation/unknown-task", `rounds: no task "${name}"`, { detail: { task: name } });
  };

  return {
    handler: {
      message(from, message) {
        try {
          receive(from, message);
          news.touched();
        } catch (error) {
          refuse(from, message, error);
        }
      },
      disconnected({ device }: { readonly device: DeviceId }) {
        for (const driver of drivers.values()) driver.disconnected(device);
        news.touched();
      },
    },

    training() {
      let training = 0;
      for (const { runs } of drivers.values()) for (const run of runs) training += run.training;
      return training;
    },

    activity: (task) => drivers.get(task)?.activity(),

    register(app: App) {
      registerUploadRoute(app, {
        access,
        issuerPublicKey,
        clock,
        store,
        findRun,
        isKnown: async (roundId) => (await store.rounds.get(roundId)) !== undefined,
      });
      registerSecureRoutes(app, { access, clock, findRun });
      registerTaskActivityRoute(app, (task) => drivers.get(task)?.activity());
      registerSuspicionRoutes(app, { ...env, store, bus });
      registerBufferRoute(app, { store });
      // What devices download for a round, counted where it is sent.
      app.addHook("onResponse", async (request, reply) => {
        if (request.routeOptions.url !== "/v1/blobs/:digest" || request.method !== "GET") return;
        if (reply.statusCode !== 200 && reply.statusCode !== 206) return;
        const { digest } = request.params as { digest: Digest };
        const sizeBytes = Number(reply.getHeader("content-length"));
        // Several cohorts may have one base: the newest is the one that devices join.
        for (const { runs } of drivers.values()) runs.findLast((run) => run.uses(digest))?.served(sizeBytes);
      });
    },

    async start() {
      await mkdir(uploadFolder, { recursive: true });
      for (const { name } of await store.tasks.list()) await taskChanged(name);
      // Before the first device comes back: it finds the round that it was in.
      await Promise.all(Array.from(drivers.values(), (driver) => driver.resumed));
      const underWay = new Set(
        [...drivers.values()].flatMap(({ runs }) => runs.map(({ config }) => config.roundId as string)),
      );
      for (const name of await readdir(uploadFolder))
        if (!underWay.has(name)) await rm(join(uploadFolder, name), { recursive: true, force: true });
    },

    close() {
      closing ??= (async () => {
        for (const subscription of subscriptions) subscription.close();
        news.close();
        await Promise.all([...drivers.values()].map((driver) => driver.close()));
        await Promise.all([evaluator.close(), unmasker.close()]);
        if ((await readdir(uploadFolder).catch(() => [])).length > 0)
          log.warn("uploads were left behind", { uploadFolder });
      })();
      return closing;
    },
  };
}
