import { asModelName, asModelVersion, failure, toFailure, type DeviceId } from "@tributary/core";
import type { ServerMessage } from "@tributary/protocol";
import { isConsent } from "./consent.ts";
import type { Device, DeviceConfig, DevicePorts } from "./device.ts";
import { createDeviceEvents } from "./device-events.ts";
import { createIdentity } from "./identity.ts";
import { createOpenModels } from "./open-models.ts";
import { createLocalMeasurer } from "./participation/local-measurer.ts";
import { createLogView } from "./participation/log-view.ts";
import { createKeptControls } from "./participation/kept-controls.ts";
import { createLocalTrainer } from "./participation/local-trainer.ts";
import { createParticipations } from "./participation/participations.ts";
import type { ConnectionState, ModelState, RuntimeStatus } from "./runtime.ts";
import { createTelemetryRecorder } from "./telemetry/recorder.ts";
import { createControlChannel } from "./transport/control-channel.ts";
import { createHttpTransport } from "./transport/http.ts";
import { trustedRoot } from "./trust.ts";
import { createBlobFetcher } from "./updater/blob-fetcher.ts";
import { createModelSpace } from "./updater/model-space.ts";
import { createReleases } from "./updater/releases.ts";

/** How often a device without a control connection looks for releases. */
const POLL_INTERVAL_MS = 5 * 60_000;

/** Puts a device together from the platform's ports. It begins to connect at once. */
export function createDevice(config: DeviceConfig, ports: DevicePorts): Device {
  const { env, store, engines } = ports;
  const events = createDeviceEvents(env.clock, env.log);
  const closing = new AbortController();
  const http = createHttpTransport({ coordinator: config.coordinator, fetch: ports.fetch, env });
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
  });
  const identity = createIdentity({
    store: store.identity,
    extractableKeys: store.needsExtractableKeys,
    http,
    population: config.population,
    token: ports.token ?? noToken,
    env,
    closing: closing.signal,
    onEnrolled: (deviceId: DeviceId, expiresAtMs: number) =>
      events.emit({ type: "enrolled", deviceId, expiresAtMs }),
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
    pinned: () => participations.pinned(),
    space,
    holds: ports.holds,
    onRunning(state: ModelState, appliedAfterMs: number | null) {
      channel.send({
        type: "running",
        model: asModelName(state.model),
        version: asModelVersion(state.version),
        appliedAfterMs: appliedAfterMs ?? 0,
      });
      participations.modelsChanged();
    },
  });
  const channel = createControlChannel({
    coordinator: config.coordinator,
    openSocket: ports.openSocket,
    identity,
    software: config.software,
    env,
    onMessage: receive,
    onState({ state, retryInMs, error }) {
      connection = state;
      events.emit({
        type: "connection",
        state,
        ...(retryInMs === undefined ? {} : { retryInMs }),
        ...(error === undefined ? {} : { code: error.code }),
      });
      if (state === "connected") {
        for (const slot of models.slots) subscribe(slot);
        // Releases may have been pushed while nobody listened.
        models.followAll();
        participations.connected();
      } else if (state === "offline") {
        // That the network is away is no problem; why nobody admits this device is one.
        if (error !== undefined && (!error.retryable || error.code.startsWith("identity/"))) {
          events.problem(error);
        }
        participations.disconnected();
      }
    },
  });
  const log = createLogView({ releases, http, settings: store.settings });
  const recorder = createTelemetryRecorder(() => participations.examplesChanged());
  const controls = store.controls && createKeptControls(store.controls);
  const work = {
    releases,
    engines,
    store,
    controls,
    identity,
    population: config.population,
    log,
    limits: config.limits,
    openSecAggCrypto: ports.openSecAggCrypto,
    env,
  };
  const participations = createParticipations({
    config,
    env,
    events,
    releases,
    store,
    identity,
    http,
    trainer: createLocalTrainer(work),
    measurer: createLocalMeasurer({ ...work, recorder }),
    recorder,
    conditions: ports.conditions,
    openModels: () => models.slots.map(({ name }) => name),
    send: (message) => channel.send(message),
    serverOffsetMs: () => channel.serverOffsetMs,
  });
  let connection: ConnectionState = "offline";
  let closed: Promise<void> | undefined;

  function subscribe(slot: { name: string; channel: string; state: ModelState }): void {
    const version = versionOf(slot);
    // A model that is still being opened subscribes when it is: the answer depends on what runs.
    if (version === undefined) return;
    channel.send({
      type: "subscribe",
      model: asModelName(slot.name),
      channel: slot.channel,
      runningVersion: asModelVersion(version),
    });
  }

  function receive(message: ServerMessage): void {
    if (message.type === "release") {
      models.released(message.model, message.channel, message.timestampVersion);
      return;
    }
    participations.receive(message);
  }

  const poll = (): void => {
    models.followAll();
    polling = env.clock.schedule(POLL_INTERVAL_MS, poll);
  };
  let polling: { cancel(): void } | undefined;
  if (ports.token === undefined) polling = env.clock.schedule(POLL_INTERVAL_MS, poll);
  else channel.start();

  const requireOpen = (): void => {
    if (closed !== undefined) throw failure("runtime/closed", "runtime: it was closed");
  };

  return {
    async openModel(request, options = {}) {
      requireOpen();
      const state = await models.open(request, options);
      subscribe(models.slot(request.model));
      participations.modelsChanged();
      return state;
    },
    closeModel: (model) => models.close(model),
    async run(model, feeds, { signal } = {}) {
      requireOpen();
      const slot = models.slot(model);
      return await recorder.watch(
        () => slot.state,
        () => slot.run(feeds, signal),
      );
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
    async addExamples(model, examples) {
      requireOpen();
      await store.examples.add(asModelName(model), examples);
      const open = models.slots.find(({ name }) => name === model);
      if (open !== undefined) recorder.labelled(open.state, examples);
      participations.examplesChanged();
    },
    async countExamples(model) {
      requireOpen();
      return await store.examples.count(asModelName(model));
    },
    async listExamples(model) {
      requireOpen();
      return await store.examples.read(asModelName(model));
    },
    async clearExamples(model) {
      requireOpen();
      await store.examples.clear(asModelName(model));
      // They are what was learned from the examples.
      await controls?.clear(asModelName(model));
      participations.examplesChanged();
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
        if (ports.token === undefined) {
          throw failure(
            "runtime/participation-unavailable",
            "participate: rounds need an enrolment token; pass `token` to createRuntime",
          );
        }
        await participations.start(request);
      } catch (error) {
        // The app holds a participation already: here is where it hears why nothing comes of it.
        events.problem(error);
        throw error;
      }
    },
    async setConsent(consent) {
      requireOpen();
      participations.setConsent(consent);
    },
    async setIdle(idle) {
      participations.setIdle(idle);
    },
    async setBattery(battery) {
      participations.setBattery(battery);
    },
    stopParticipating: () => participations.stop(),
    async reconnect() {
      channel.nudge();
    },
    async status(): Promise<RuntimeStatus> {
      const certificateLog = await log.seen();
      return {
        ...(identity.deviceId === undefined ? {} : { deviceId: identity.deviceId }),
        connection,
        models: models.slots.flatMap((slot) => {
          try {
            return [slot.state];
          } catch {
            return []; // still opening
          }
        }),
        participation: participations.state,
        bytesUp: http.bytesUp,
        bytesDown: http.bytesDown,
        roundsCommitted: participations.roundsCommitted,
        ...(certificateLog === undefined ? {} : { certificateLog }),
      };
    },
    async diagnose() {
      requireOpen();
      const open = models.slots.filter((slot) => versionOf(slot) !== undefined);
      return {
        engines: engines.diagnose(),
        models: open.map((slot) => slot.diagnose()),
        storage: await space.diagnose(),
      };
    },
    subscribe: (listener) => events.subscribe(listener),
    close() {
      closed ??= (async () => {
        closing.abort(failure("runtime/closed", "runtime: it was closed"));
        polling?.cancel();
        await participations.stop();
        channel.close();
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

function versionOf(slot: { state: ModelState }): number | undefined {
  try {
    return slot.state.version;
  } catch {
    return undefined;
  }
}

async function noToken(): Promise<string> {
  throw failure("identity/enrolment-failed", "identity: no enrolment token was given");
}
