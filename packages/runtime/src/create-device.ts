import { asModelName, asModelVersion, failure, toFailure, type ModelName } from "@tributary/core";
import type { Feeds } from "@tributary/engine";
import type { ServerMessage } from "@tributary/protocol";
import type { Connection } from "./connection.ts";
import { isConsent } from "./consent.ts";
import type { Device, DeviceConfig, DevicePorts } from "./device.ts";
import { createDeviceEvents } from "./device-events.ts";
import type { RefusedVersion } from "./diagnosis.ts";
import type { DeviceHealthPart } from "./health/device-health.ts";
import type { failedCheck } from "./health/failed-check.ts";
import { lazyPart } from "./lazy-part.ts";
import { createOpenModels } from "./open-models.ts";
import type { ExamplePolicy } from "./examples/example-policy.ts";
import { personalName } from "./personal/personal-name.ts";
import type { ModelState, RuntimeStatus } from "./runtime.ts";
import type { RunCounter } from "./telemetry/recorder.ts";
import type { ModelSlot } from "./updater/slot-types.ts";
import { createReleaseHttp, type ReleaseHttp } from "./transport/release-http.ts";
import { createRequests } from "./transport/requests.ts";
import { withSeed } from "./transport/with-seed.ts";
import { trustedRoot } from "./trusted-root.ts";
import { createBlobFetcher } from "./updater/blob-fetcher.ts";
import { createModelSpace } from "./updater/model-space.ts";
import { own } from "./updater/own.ts";
import { createReleases } from "./updater/releases.ts";

/** How often a device without a control connection looks for releases, give or take a quarter. */
const POLL_INTERVAL_MS = 5 * 60_000;
/** How long until the connection's script is asked for again. */
const RELOAD_INTERVAL_MS = 30_000;

/**
 * Puts a device together from the platform's ports. One with an enrolment token begins to connect at once. The connection and the
 * learner are parts that are loaded when they are needed.
 */
export function createDevice(config: DeviceConfig, ports: DevicePorts): Device {
  const { env, store, engines, token } = ports;
  const events = createDeviceEvents(env.clock, env.log);
  const closing = new AbortController();
  const requests = createRequests({ fetch: ports.fetch, env });
  const httpAt = (base: string): ReleaseHttp => createReleaseHttp({ base, requests, env });
  const { seed } = config.source;
  const shipped = seed === undefined ? undefined : httpAt(seed);
  const http = withSeed(httpAt(config.source.releases), shipped);
  const space = createModelSpace({
    store,
    maxBytes: config.maxStorageBytes,
    isNeeded: (digest) => models.needs(digest),
    holds: ports.holds,
    clock: env.clock,
    log: env.log,
  });
  const blobs = createBlobFetcher({ cache: store.blobs, http, env, space, shared: ports.downloads });
  const releases = createReleases({
    trustedRoot: trustedRoot({ pinned: config.trustedRoot, store: store.metadata, http, log: env.log }),
    store: store.metadata,
    http,
    blobs,
    env,
    closing: closing.signal,
    exclusive: ports.exclusive,
    seed: shipped,
    identity: { store, tags: config.tags },
  });
  const models = createOpenModels({
    releases,
    blobs,
    engines,
    images: ports.images,
    store,
    events,
    env,
    closing: closing.signal,
    pinned: () => learner.loaded?.pinned() ?? [],
    space,
    holds: ports.holds,
    onRunning(state: ModelState, appliedAfterMs: number | null) {
      connection.loaded?.running(state, appliedAfterMs);
      const slot = models.slot(state.model);
      const facts = slot.facts();
      withHealth(slot, (part) => part.running(state, part.failedCheck(facts)));
      learner.loaded?.participations.modelsChanged();
      // Of the first version, the opening itself waits for it.
      if (opened.has(state.model)) void restorePersonal(state.model);
    },
    onRefused(model, refused) {
      if (connection.loaded?.state === "connected") connection.loaded.refused(model, refused);
      else untold.set(model, refused);
    },
    onDied(model, { version, engine }) {
      health?.load().then(
        (part) => part.died({ model: asModelName(model), version: asModelVersion(version), engine }),
        () => undefined,
      );
    },
  });
  /** Versions that were refused while nobody listened. */
  const untold = new Map<string, RefusedVersion>();
  const opened = new Set<string>();
  engines.onDownload?.((download) => events.emit({ type: "progress", part: "engine", ...download }));
  const openModels = (): readonly ModelName[] => models.slots.map(({ name }) => asModelName(name));
  let countedSince = env.clock.now();
  let idle: boolean | undefined;
  let busy = false;
  let battery: Parameters<Device["setBattery"]>[0] = null;
  let closed: Promise<void> | undefined;
  let timer: { cancel(): void } | undefined;
  let polling: { cancel(): void } | undefined;

  const connection = lazyPart("connection", async () => {
    const { coordinator } = config.source;
    if (token === undefined || coordinator === undefined) throw unconnected();
    const [openSocket, { createConnection }] = await Promise.all([
      ports.openSocket(),
      import("./connection.ts"),
    ]);
    return createConnection({
      openSocket,
      coordinator,
      config,
      ports: { ...ports, token },
      requests,
      events,
      closing: closing.signal,
      onMessage: receive,
      onConnected() {
        for (const state of models.states()) connection.loaded?.subscribe(state);
        for (const [model, refused] of untold) connection.loaded?.refused(model, refused);
        untold.clear();
        // Releases may have been pushed while nobody listened.
        models.followAll();
        learner.loaded?.participations.connected();
      },
      onDisconnected: () => learner.loaded?.participations.disconnected(),
    });
  });

  const policies = new Map<string, ExamplePolicy>();
  const examples = lazyPart("examples", async () => {
    const { openExamples } = await import("./examples/open-examples.ts");
    return openExamples({ store, env, policyOf: (model) => policies.get(model) });
  });

  /** Only where the app asked for it, of a device that enrols. */
  const health =
    config.healthIntervalMs === undefined || token === undefined
      ? undefined
      : lazyPart("health reports", async () => {
          const [{ identity, http: federation }, { createDeviceHealth }, checks] = await Promise.all([
            connection.load(),
            import("./health/device-health.ts"),
            import("./health/failed-check.ts"),
          ]);
          const part = await createDeviceHealth({
            env,
            settings: store.settings,
            identity,
            http: federation,
            population: config.population,
            intervalMs: config.healthIntervalMs!,
            endsCleanly: ports.listen === undefined,
            closing: closing.signal,
          });
          return { ...part, failedCheck: checks.failedCheck };
        });
  /** What cannot be loaded tells nothing, and is tried again by what happens next. */
  const withHealth = (
    slot: ModelSlot,
    tell: (
      part: DeviceHealthPart & { readonly failedCheck: typeof failedCheck },
      state: ModelState,
    ) => unknown,
  ): void => {
    if (health === undefined || !slot.isRunning) return;
    const { state } = slot;
    health.load().then(
      (part) => tell(part, state),
      () => undefined,
    );
  };

  const metrics = lazyPart("metrics", async () => {
    const { createLocalMetrics } = await import("./telemetry/local-metrics.ts");
    return createLocalMetrics({ clock: env.clock, heapBytes: () => engines.heapBytes() });
  });

  /** Only who chains models loads it. */
  const chains = lazyPart("chain of models", () => import("./inference/run-models.ts"));
  const learner = lazyPart("learner", async () => {
    const [opened, { kept }, { createLearner }] = await Promise.all([
      connection.load(),
      examples.load(),
      import("./participation/learner.ts"),
    ]);
    const created = createLearner({
      config,
      ports,
      events,
      releases,
      connection: opened,
      openModels,
      examples: kept,
      onLessNeeded: () => models.tidy(),
    });
    if (opened.state === "connected") created.participations.connected();
    if (idle !== undefined) created.participations.setIdle(idle);
    if (battery !== null) created.participations.setBattery(battery);
    return created;
  });

  const personal = lazyPart("personalisation", async () => {
    const [{ kept }, { createPersonalisations }] = await Promise.all([
      examples.load(),
      import("./personal/personalisations.ts"),
    ]);
    const created = createPersonalisations({
      store,
      engines,
      releases,
      blobs,
      examples: kept,
      events,
      env,
      listen: ports.listen,
      closing: closing.signal,
    });
    created.courtesy.setReason("input", busy);
    return created;
  });

  /** Weights of the device's own, where there are some; without them the version itself answers. */
  const restorePersonal = async (model: string): Promise<void> => {
    try {
      const name = personalName(asModelName(model));
      if (!(await store.learned.list()).some((file) => file.name === name)) return;
      await (await personal.load()).restore(models.slot(model));
    } catch (error) {
      if (closed === undefined) events.problem(error);
    }
  };

  function receive(message: ServerMessage): void {
    if (message.type === "release") {
      models.released(message.model, message.channel, message.timestampVersion);
      return;
    }
    learner.loaded?.participations.receive(message);
  }

  /** Who is connected is told; whoever is not, or cannot be where sockets are blocked, looks by itself, and not all at once. */
  const poll = (): void => {
    const wait = POLL_INTERVAL_MS * (0.75 + env.random.bytes(1)[0]! / 512);
    polling = env.clock.schedule(wait, () => {
      if (connection.loaded?.state !== "connected") models.followAll();
      poll();
    });
  };
  const connect = (): void => {
    timer = undefined;
    connection.load().then(
      (opened: Connection) => {
        if (closed === undefined) opened.start();
      },
      (error: unknown) => {
        if (closed !== undefined) return;
        events.problem(error);
        models.followAll();
        timer = env.clock.schedule(RELOAD_INTERVAL_MS, connect);
      },
    );
  };
  poll();
  if (token !== undefined) connect();

  /** For the page, and with consent for telemetry; a model that was closed meanwhile has nothing to count. */
  const counting = (slot: ModelSlot, count: (recorder: RunCounter, state: ModelState) => void): void => {
    if (!slot.isRunning) return;
    const { state } = slot;
    if (learner.loaded !== undefined) count(learner.loaded.recorder, state);
    // What cannot be loaded is tried again by the next run: this one has its answer.
    metrics.load().then(
      (recorder) => count(recorder, state),
      () => undefined,
    );
  };

  const requireOpen = (): void => {
    if (closed !== undefined) throw failure("runtime/closed", "runtime: it was closed");
  };

  return {
    async openModel(request, options = {}) {
      requireOpen();
      if (request.examples !== undefined) {
        const { checkedExampleOptions } = await import("./examples/checked-options.ts");
        policies.set(request.model, checkedExampleOptions(request.examples));
      }
      const state = await models.open(request, options);
      if (!opened.has(request.model)) {
        await restorePersonal(request.model);
        opened.add(request.model);
      }
      connection.loaded?.subscribe(state);
      learner.loaded?.participations.modelsChanged();
      return state;
    },
    async closeModel(model) {
      await models.close(model);
      if (!openModels().includes(asModelName(model))) opened.delete(model);
    },
    async run(model, feeds, { signal, personal: usePersonal } = {}) {
      requireOpen();
      const slot = models.slot(model);
      try {
        const { inference, feeds: read } = await slot.run(feeds, signal, usePersonal);
        // What a page lent goes back with the answer; who counts may have to be loaded first.
        const fed = metrics.loaded === undefined ? ownFeeds(read) : read;
        counting(slot, (recorder, state) => recorder.ran(state, inference, fed));
        withHealth(slot, (part, state) => part.ran(state, inference));
        return inference;
      } catch (error) {
        if (signal?.aborted !== true) {
          counting(slot, (recorder, state) => recorder.failed(state, error));
          withHealth(slot, (part, state) => part.failed(state, error));
        }
        throw error;
      }
    },
    async feedback(model, answer, label) {
      requireOpen();
      const slot = models.slot(model);
      const labels = (await metrics.load()).readFeedback(slot.state, answer, label);
      counting(slot, (recorder, state) => recorder.judged(state, answer, labels));
    },
    async runChain(links, feeds, { signal } = {}) {
      requireOpen();
      const { runModels } = await chains.load();
      const slots = links.map(({ model, from }) => ({ slot: models.slot(model), from }));
      return await runModels(slots, feeds, { clock: env.clock, images: ports.images, signal });
    },
    async explain(model, feeds, request, { signal } = {}) {
      requireOpen();
      return await models.slot(model).explain(feeds, request, signal);
    },
    async personal(model, request, { signal } = {}) {
      requireOpen();
      const slot = models.slot(model);
      const part = await personal.load();
      switch (request.kind) {
        case "train":
          return { report: await part.train(slot, request.options, signal) };
        case "report":
          return { report: await part.report(slot.name) };
        case "export":
          return { file: await part.export(slot.name) };
        case "restore":
          await part.restore(slot, { check: false });
          return {};
        case "clear":
          await part.clear(slot.name, slot);
          return {};
        default:
          return request satisfies never;
      }
    },
    async refresh(model, { signal } = {}) {
      requireOpen();
      const slot = models.slot(model);
      await releases.refresh(signal);
      await slot.follow(signal);
      return slot.state;
    },
    async applyUpdate(model) {
      requireOpen();
      return await models.slot(model).apply();
    },
    async addExamples(model, drafts) {
      requireOpen();
      const part = await examples.load();
      const slot = models.slot(model);
      const added = await part.readDrafts(slot.state, drafts, ports.images);
      await part.kept.add(asModelName(model), added);
      counting(slot, (recorder, state) => recorder.labelled(state, added));
      learner.loaded?.participations.examplesChanged();
    },
    async countExamples(model) {
      requireOpen();
      return await (await examples.load()).kept.count(asModelName(model));
    },
    async listExamples(model) {
      requireOpen();
      return await (await examples.load()).kept.read(asModelName(model));
    },
    async exportExamples(model) {
      requireOpen();
      const { kept, exportExamples } = await examples.load();
      return exportExamples(models.slot(model).state.inputs, await kept.read(asModelName(model)));
    },
    async clearExamples(model) {
      requireOpen();
      await (await examples.load()).clear(asModelName(model));
      const name = asModelName(model);
      const slot = models.slots.find((each) => each.name === name);
      if ((await store.learned.list()).some((file) => file.name === personalName(name)))
        await (await personal.load()).clear(name, slot);
      // They are what was learned from the examples.
      await (learner.loaded?.clear(asModelName(model)) ?? store.controls?.clear(asModelName(model)));
      learner.loaded?.participations.examplesChanged();
    },
    async participate(request) {
      requireOpen();
      try {
        if (!isConsent(request.consent)) {
          throw failure(
            "federation/no-consent",
            "participate: consent must be true, or to training or telemetry; ask the person first",
          );
        }
        const { participations } = await learner.load();
        // After forget() the device waits for this to be somebody again.
        connection.loaded?.start();
        await participations.start(request);
      } catch (error) {
        // The app holds a participation already: here is where it hears why nothing comes of it.
        events.problem(error);
        throw error;
      }
    },
    async setConsent(consent) {
      requireOpen();
      const part = await learner.settled();
      part?.participations.setConsent(consent);
      if (!consent.training) await part?.dropCheckpoints();
    },
    async setIdle(next) {
      idle = next;
      learner.loaded?.participations.setIdle(next);
    },
    async setBusy(next) {
      busy = next;
      personal.loaded?.courtesy.setReason("input", next);
      learner.loaded?.courtesy.setReason("input", next);
    },
    async setBattery(next) {
      battery = next;
      learner.loaded?.participations.setBattery(next);
    },
    async stopParticipating() {
      const part = await learner.settled();
      await part?.participations.stop();
      await part?.dropCheckpoints();
    },
    async forget(options) {
      requireOpen();
      await (await learner.settled())?.participations.stop();
      await (await personal.settled())?.forget(models.slots.filter(({ isRunning }) => isRunning));
      const [{ kept }, opened, { forgetDevice }] = await Promise.all([
        examples.load(),
        token === undefined ? undefined : connection.load(),
        import("./forget/forget-device.ts"),
      ]);
      opened?.pause();
      try {
        const erasure = await forgetDevice({
          ...options,
          store,
          examples: kept,
          connection: opened,
          population: config.population,
          clearLearned: async (model) => await (learner.loaded?.clear(model) ?? store.controls?.clear(model)),
          clock: env.clock,
          signal: closing.signal,
        });
        metrics.loaded?.forget();
        countedSince = env.clock.now();
        events.emit({ type: "forgotten" });
        return erasure;
      } catch (error) {
        // Nothing was erased, or not all: the device goes on as what it is.
        opened?.start();
        throw error;
      }
    },
    async noteCrash() {
      for (const slot of models.slots) withHealth(slot, (part, state) => part.crashed(state));
    },
    async reconnect() {
      if (connection.loaded !== undefined) return connection.loaded.nudge();
      if (token === undefined || timer === undefined) return;
      timer.cancel();
      connect();
    },
    async status(): Promise<RuntimeStatus> {
      const certificateLog = await import("./store/log-head.ts")
        .then(({ readLogHead }) => readLogHead(store.settings))
        .catch(() => undefined);
      const deviceId = connection.loaded?.identity.deviceId;
      return {
        ...(deviceId === undefined ? {} : { deviceId }),
        connection: connection.loaded?.state ?? (closed === undefined ? "offline" : "closed"),
        models: models.states(),
        participation: learner.loaded?.participations.state ?? "stopped",
        bytesUp: requests.bytesUp,
        bytesDown: requests.bytesDown,
        roundsCommitted: learner.loaded?.participations.roundsCommitted ?? 0,
        ...(certificateLog === undefined ? {} : { certificateLog }),
      };
    },
    async metrics() {
      requireOpen();
      const heapBytes = engines.heapBytes();
      return {
        startedAt: countedSince,
        models: (await metrics.settled())?.read() ?? [],
        ...(heapBytes === undefined ? {} : { heapBytes }),
      };
    },
    async diagnose() {
      requireOpen();
      const open = models.slots.filter(({ isRunning }) => isRunning);
      const { slotDiagnosis } = await import("./updater/slot-diagnosis.ts");
      // Also of one that took part a moment ago.
      const part = await learner.settled();
      return {
        engines: engines.diagnose(),
        models: open.map((slot) => {
          const own = personal.loaded?.diagnose(slot.name);
          return { ...slotDiagnosis(slot.facts()), ...(own === undefined ? {} : { personal: own }) };
        }),
        storage: await space.diagnose(),
        ...(part === undefined ? {} : { training: part.diagnose() }),
      };
    },
    subscribe: (listener) => events.subscribe(listener),
    close() {
      closed ??= (async () => {
        closing.abort(failure("runtime/closed", "runtime: it was closed"));
        timer?.cancel();
        polling?.cancel();
        await (await learner.settled())?.participations.stop();
        await (await health?.settled())?.close();
        (await connection.settled())?.close();
        await (await personal.settled())?.settled();
        await (await examples.settled())?.kept.settled();
        const parts = [() => models.closeAll(), () => engines.close(), () => store.close()];
        for (const part of parts) {
          try {
            await part();
          } catch (error) {
            env.log.warn("a part did not close", { error: toFailure(error) });
          }
        }
      })();
      return closed;
    },
  };
}

function unconnected(): Error {
  return failure(
    "runtime/participation-unavailable",
    "participate: rounds need an enrolment token; pass `token` to createRuntime",
  );
}

function ownFeeds(feeds: Feeds): Feeds {
  return Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, own(tensor)]));
}
