import type { Server as TlsServer } from "node:https";
import { join } from "node:path";
import { type Env, type PopulationName, systemClock, systemRandom } from "@tributary/core";
import { createAccessRoom } from "./access/access-room.ts";
import type { ServedRoute } from "./access/route-access.ts";
import { openFolderBlobStore } from "./adapters/blob/folder-blob-store.ts";
import { createInProcessBus } from "./adapters/bus/in-process-bus.ts";
import { registerAlertRoutes } from "./alerts/alert-routes.ts";
import { createAlerts } from "./alerts/alerts.ts";
import { createBusyMeter } from "./alerts/busy-meter.ts";
import { createRecentPush } from "./alerts/recent-push.ts";
import { spaceOf } from "./alerts/space.ts";
import { recordEvent } from "./audit/record-event.ts";
import { createAuditLog } from "./audit/audit-log.ts";
import { openSqlMetadataStore } from "./adapters/sql/sql-metadata-store.ts";
import { collectBlobs } from "./collect-blobs.ts";
import { type CoordinatorConfig, type ResolvedConfig, resolveConfig } from "./config.ts";
import { createCertificateLog } from "./enrolment/certificate-log.ts";
import { createEnrolment } from "./enrolment/enrolment.ts";
import { registerErasureRoute } from "./enrolment/erasure-route.ts";
import { registerOpenEnrolment } from "./enrolment/open-enrolment.ts";
import { createFleet } from "./fleet/fleet.ts";
import { registerFleetRoutes } from "./fleet/fleet-routes.ts";
import { createGateway } from "./gateway/gateway.ts";
import type { DeviceGateway } from "./gateway/gateway-types.ts";
import { createVersionRefusals } from "./gateway/version-refusals.ts";
import { createPushLatency } from "./gateway/push-latency.ts";
import { createAccessPolicy } from "./http/access-policy.ts";
import { createApp } from "./http/app.ts";
import { registerHealthRoutes } from "./health/health-routes.ts";
import { registerAliasRoutes } from "./http/alias-routes.ts";
import { registerBlobRoutes } from "./http/blob-routes.ts";
import { registerCardRoutes } from "./http/card-routes.ts";
import { registerChannelRoutes } from "./http/channel-routes.ts";
import { registerDocumentRoutes } from "./http/document-routes.ts";
import { registerEventRoutes } from "./http/event-routes.ts";
import { createEventStreams } from "./http/event-streams.ts";
import { operatorTokenOf } from "./http/operator-token.ts";
import { registerIdempotency } from "./http/idempotency.ts";
import { listen, requireFreePort } from "./http/listen.ts";
import { registerKeyRoutes } from "./http/key-routes.ts";
import { registerMeasurementRoutes } from "./http/measurement-routes.ts";
import { registerPages } from "./http/pages.ts";
import { registerRegistryRoutes } from "./http/registry-routes.ts";
import { registerRetentionRoutes } from "./http/retention-routes.ts";
import { createSharedAnswers } from "./http/shared-answers.ts";
import { registerTargetRoutes } from "./http/target-routes.ts";
import { registerTufRoutes } from "./http/tuf-routes.ts";
import { registerVersionRoutes } from "./http/version-routes.ts";
import { registerPrivacyRoutes } from "./privacy/privacy-routes.ts";
import { registerEstimateRoutes } from "./estimates/estimate-routes.ts";
import { createEstimator } from "./estimates/estimator.ts";
import { registerCompareRoutes } from "./compare/compare-routes.ts";
import { registerSearchRoutes } from "./search/search-routes.ts";
import { registerRolloutRoutes } from "./rollouts/rollout-routes.ts";
import { createRollouts } from "./rollouts/rollouts.ts";
import { startHousekeeping } from "./housekeeping.ts";
import { lockDataDir, wasLocked } from "./instance-lock.ts";
import { createNotifier } from "./notify/notifier.ts";
import { registerNotifyRoutes } from "./notify/notify-routes.ts";
import { createPolicies } from "./policies/policies.ts";
import { registerPolicyRoutes } from "./policies/policy-routes.ts";
import { openLog } from "./observability/logging/coordinator-log.ts";
import { registerHttpTracing } from "./observability/tracing/http-tracing.ts";
import { activeTraceFields, openTracing } from "./observability/tracing/tracing.ts";
import { createPrometheus } from "./observability/prometheus.ts";
import { createRegistry } from "./registry/registry.ts";
import { createReproducer } from "./registry/reproducer.ts";
import { renewPlans } from "./registry/renew-plans.ts";
import { publishIssuer } from "./releases/issuer-target.ts";
import { createReleases } from "./releases/releases.ts";
import type { RoomContext } from "./rooms.ts";
import { createRounds } from "./rounds/rounds.ts";
import { oidcSecrets } from "./access/oidc/oidc-config.ts";
import { mlflowSecrets } from "./runs/mlflow-client.ts";
import { trackRuns } from "./runs/track-runs.ts";
import { StorageHealth, storageProblemView } from "./storage-health.ts";
import { createSteadyNow } from "./steady-time.ts";
import { noticesOf } from "./notices.ts";
import { openServerTls } from "./tls/server-tls.ts";
import { VERSION } from "./version.ts";

/** How long each room may take to close, one after the other: together less than two seconds. */
const CLOSE_MS = {
  rounds: 600,
  rollouts: 200,
  policies: 100,
  alerts: 100,
  notifier: 100,
  gateway: 400,
  http: 150,
  tracing: 150,
  runs: 100,
} as const;

/** A running coordinator. */
export interface Coordinator {
  /** Where it is reached, without a trailing slash: `http://127.0.0.1:7700`. */
  readonly url: string;
  readonly port: number;
  /** The token of the data directory: its bearer may everything. */
  readonly operatorToken: string;
  /** Where the first admin is made, once and within a day; null where there is an account. Whoever has it becomes the admin. */
  readonly setupUrl: string | null;
  /** The TUF root that apps pin. */
  readonly tufRoot: Uint8Array<ArrayBuffer>;
  /** What it answers, and who may ask. */
  readonly routes: readonly ServedRoute[];
  /** SHA-256 of its certificate, as browsers show it; undefined where it has none. */
  readonly tlsFingerprint: string | undefined;
  /** What whoever starts it should know of its configuration, a sentence each. */
  readonly notices: readonly string[];
  /** Reads the files of its certificate now. What cannot be used is logged, and the one before stays. */
  reloadCertificate(): Promise<void>;
  /** A token with which one device enrols. */
  mintEnrolmentToken(population: PopulationName): Promise<string>;
  /** Ends everything within two seconds: no round goes on, no connection stays, the database is checkpointed. Idempotent. */
  close(): Promise<void>;
}

/**
 * Opens the data directory, starts to listen and lets running tasks go on: the composition root.
 *
 * @throws `coordinator/invalid-config`, `coordinator/data-dir-unusable`, `coordinator/data-dir-in-use`,
 *   `coordinator/port-in-use`, `coordinator/cannot-listen`, `store/*`
 */
export async function createCoordinator(options: CoordinatorConfig): Promise<Coordinator> {
  const config = resolveConfig(options);
  // What was opened is closed in reverse, also when the start fails half way.
  const opened = new AsyncDisposableStack();
  try {
    return await start(config, options.env ?? {}, opened);
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

async function start(
  config: ResolvedConfig,
  seams: NonNullable<CoordinatorConfig["env"]>,
  opened: AsyncDisposableStack,
): Promise<Coordinator> {
  const { clock = systemClock, random = systemRandom } = seams;
  const { limits, strategies } = config;

  // Of a directory that a coordinator runs on, that is told first.
  if (!(await wasLocked(config.dataDir))) await requireFreePort(config);
  const lock = await lockDataDir(config.dataDir);
  opened.defer(() => lock.release());

  const operatorToken = await operatorTokenOf(config.dataDir, random);
  const access = createAccessPolicy(config);
  // It asks for the store when there is one.
  const accessRoom = createAccessRoom({
    config,
    env: { clock, random },
    store: () => store,
    operatorToken,
    url: () => url,
    ...(seams.passwordCost && { passwordCost: seams.passwordCost }),
  });
  const { guard } = accessRoom;
  const { log: ownLog, pino: logger } = await openLog({
    level: config.logLevel,
    format: config.logFormat,
    clock,
    secrets: [operatorToken, ...mlflowSecrets(config.mlflow), ...oidcSecrets(config.oidc)],
    traceFields: activeTraceFields,
  });
  const log = seams.log ?? ownLog;
  const sharedAnswers = createSharedAnswers();
  const tls = await openServerTls(config, { clock, random });
  const { app, peers, routes } = await createApp({
    config,
    access,
    guard,
    version: VERSION,
    tls,
    logger,
    sharedAnswers,
  });
  const env: Env = { clock, random, log };
  const tracing = await openTracing({ config: config.tracing, version: VERSION, log });
  opened.defer(() => closeInTime(env, "tracing", () => tracing.close()));
  const { tracer } = tracing;
  registerHttpTracing(app, {
    ...tracing,
    isOperator: ({ principal }) => principal !== null && principal.kind !== "anonymous",
  });
  const certificateFiles = tls?.follow(app.server as TlsServer, env);
  if (certificateFiles !== undefined) opened.defer(() => certificateFiles.close());
  const notices = noticesOf(config, tls);
  for (const notice of notices) log.info("coordinator: notice", { notice });
  const steadyNow = createSteadyNow(clock);

  const bus = createInProcessBus(log);
  const health = new StorageHealth({
    ...env,
    changed() {
      const data = { problem: storageProblemView(health.problem) };
      void bus.publish("event", { id: null, type: "storage", data, at: clock.now() });
    },
  });
  const store = await openSqlMetadataStore({
    path: join(config.dataDir, "tributary.db"),
    observer: health,
    onRecorded: (records) => {
      for (const record of records) void bus.publish("event", recordEvent(record));
    },
  });
  opened.defer(() => store.close());
  const blobs = await openFolderBlobStore({ folder: join(config.dataDir, "blobs") });
  opened.defer(() => blobs.close());
  const unused = await collectBlobs({ store, blobs, now: clock.now() });
  if (unused > 0) log.info("coordinator: unused blobs were removed", { count: unused });
  opened.defer(() => bus.close());
  const shared = sharedAnswers.follow(bus);
  opened.defer(() => shared.close());
  const housekeeping = await startHousekeeping({ env, store, keptEvents: limits.keptEvents });
  opened.defer(() => housekeeping.close());

  const context: RoomContext = { config, env, steadyNow, store, blobs, bus, access };
  const releases = await createReleases(context);
  opened.defer(() => releases.close());
  const certificateLog = createCertificateLog({ ...context, releases });
  opened.defer(() => certificateLog.close());
  const auditLog = createAuditLog({ ...context, releases });
  opened.defer(() => auditLog.close());
  const enrolment = await createEnrolment({ ...context, logGrew: () => certificateLog.grew() });
  const { issuerPublicKey } = enrolment;
  const vouching = { store, blobs, env, releases, issuerPublicKey };
  await publishIssuer({ ...vouching, name: config.issuer?.name ?? config.name });
  await renewPlans(vouching);
  const registry = createRegistry({ store, blobs, bus, env, releases, strategies, issuerPublicKey });
  const reproducer = createReproducer({ store, blobs, strategies });
  opened.defer(() => reproducer.close());
  const estimator = createEstimator({ clock });
  opened.defer(() => estimator.close());
  const rollouts = createRollouts({ ...context, releases });
  // Rounds speak to devices through the gateway, and the gateway hands them what devices say.
  const rounds = createRounds({
    ...context,
    dataDir: config.dataDir,
    releases,
    strategies,
    keepAggregates: config.keepAggregates,
    issuerPublicKey,
    certificateLog,
    tracer,
    connectionOf: (device) => gateway.connectionOf(device),
    send: (device, message) => gateway.send(device, message),
    countsChanged: () => gateway.countsChanged(),
  });
  const fleet = createFleet({ env, store, connected: () => gateway.connected() });
  opened.defer(() => fleet.close());
  const push = createPushLatency();
  const recentPush = createRecentPush();
  const versionRefusals = createVersionRefusals();
  const gateway: DeviceGateway = createGateway({
    ...context,
    issuerPublicKey,
    tracer,
    handler: {
      ...rounds.handler,
      connected(from, { software }) {
        fleet.checkedIn(from.device, software);
      },
      disconnected(from) {
        fleet.left(from.device);
        rounds.handler.disconnected(from);
      },
      subscribed({ device }, { model, runningVersion: version }) {
        if (version !== undefined) fleet.runs(device, { model, version });
      },
      running({ device }, { model, version, appliedAfterMs }) {
        fleet.runs(device, { model, version });
        push.record(appliedAfterMs);
        recentPush.record(clock.now(), appliedAfterMs);
        prometheus.pushed(appliedAfterMs);
      },
      refusedVersion({ device }, { model, version, code }) {
        if (!versionRefusals.record(device, { model, version, code })) return;
        log.warn("a device does not run a version that was released", { model, version, code, device });
      },
    },
    training: () => rounds.training(),
    addressOf: (request) => peers.addressOf(request),
  });
  const devices = () => gateway.counts();
  const prometheus = createPrometheus({
    bus,
    store,
    devices,
    version: VERSION,
    dataDir: config.dataDir,
    refusedVersions: () => versionRefusals.view(),
    storageProblem: () => health.problem,
    accessRefusals: guard.refusals,
  });
  opened.defer(() => prometheus.close());
  const notifier = createNotifier({
    env,
    store,
    name: config.name,
    url: () => config.publicUrl ?? null,
    sending: {
      rules: config.notify,
      secrets: { folder: config.notify.secretsFolder, environment: process.env },
      ca: config.notify.ca,
    },
  });
  const alerts = createAlerts({
    env,
    store,
    bus,
    notifier,
    readBusy: createBusyMeter(),
    signals: {
      blobs,
      space: () => spaceOf(config.dataDir),
      devices,
      refusedVersions: () => versionRefusals.view(),
      push: (now) => recentPush.view(now),
      storageProblem: () => health.problem,
    },
  });
  const policies = createPolicies({ env, store, blobs, bus, registry, rollouts });
  const { newest: newestEventId } = await store.events.bounds();
  const streams = createEventStreams({
    store,
    bus,
    clock,
    limits,
    devices,
    storageProblem: () => health.problem,
    newestEventId,
  });

  prometheus.register(app);
  registerPages(app, config);
  registerBlobRoutes(app, {
    blobs,
    store,
    clock,
    maxBlobBytes: limits.maxBlobBytes,
    identify: guard.identify,
  });
  registerTufRoutes(app, { store, clock });
  registerTargetRoutes(app, { store, blobs });
  registerKeyRoutes(app, {
    keys: releases.keys,
    async signed({ model: name }) {
      const timestamp = await store.releases.latest("timestamp");
      if (name === null || timestamp === undefined) return;
      for (const { model, name: channel, version } of await store.channels.list(name))
        await bus.publish("release", {
          model,
          channel,
          version,
          timestampVersion: timestamp.version,
          committedAt: clock.now(),
        });
    },
  });
  accessRoom.register(app);
  registerEventRoutes(app, { streams, store, guard });
  registerIdempotency(app, { requests: store.idempotentRequests, clock });
  registerDocumentRoutes(app);
  enrolment.register(app);
  registerOpenEnrolment(app, {
    populations: config.openEnrolment,
    perAddress: config.rates.openTokensPerAddress,
    inAll: config.rates.openTokensInAll,
    mintToken: (population, ttlMs) => enrolment.mintOpenToken(population, ttlMs),
    addressOf: (request) => peers.addressOf(request),
  });
  registerErasureRoute(app, {
    env,
    store,
    issuerPublicKey,
    disconnect: (device, reason) => gateway.disconnect(device, reason),
  });
  certificateLog.register(app);
  auditLog.register(app);
  rounds.register(app);
  gateway.attach(app.server);
  registerVersionRoutes(app, { store, registry, reproducer });
  registerMeasurementRoutes(app, { store, blobs, registry });
  registerChannelRoutes(app, { store, registry });
  registerAliasRoutes(app, { store, registry });
  registerCardRoutes(app, { store, registry });
  registerRetentionRoutes(app, { registry });
  registerSearchRoutes(app, { store, clock });
  registerCompareRoutes(app, { store });
  registerPrivacyRoutes(app, { config, store, blobs, registry, issuerPublicKey });
  registerEstimateRoutes(app, { registry, blobs, estimator });
  registerRolloutRoutes(app, { store, registry, rollouts });
  registerHealthRoutes(app, {
    env,
    store,
    registry,
    issuerPublicKey,
    intervalMs: config.limits.healthIntervalMs,
    told: (device, runs) => fleet.runs(device, runs),
  });
  registerFleetRoutes(app, {
    env,
    store,
    fleet,
    isConnected: (device) => gateway.isConnected(device),
    connectedCount: () => gateway.counts().connected,
    disconnect: (device, reason) => gateway.disconnect(device, reason),
  });
  registerAlertRoutes(app, { alerts, store });
  registerPolicyRoutes(app, { policies, store });
  registerNotifyRoutes(app, notifier);
  registerRegistryRoutes(app, {
    config,
    store,
    registry,
    clock,
    version: VERSION,
    issuerPublicKey,
    devices,
    push: () => push.view(),
    refusedVersions: () => versionRefusals.view(),
    storageProblem: () => health.problem,
  });

  opened.defer(() => closeInTime(env, "http", () => app.close()));
  opened.defer(() => closeInTime(env, "gateway", () => gateway.close()));
  opened.defer(() => closeInTime(env, "policies", () => policies.close()));
  opened.defer(() => closeInTime(env, "notifier", () => notifier.close()));
  opened.defer(() => closeInTime(env, "alerts", () => alerts.close()));
  opened.defer(() => closeInTime(env, "rollouts", () => rollouts.close()));
  opened.defer(() => closeInTime(env, "rounds", () => rounds.close()));
  // Before the first device can check in: it finds its task there.
  await rounds.start();
  await rollouts.begin();
  notifier.begin();
  await alerts.begin();
  policies.begin();
  const port = await listen(app, config);
  const url =
    config.publicUrl ?? `${tls === undefined ? "http" : "https"}://${reachableHost(config.host)}:${port}`;

  const setupCode = await accessRoom.issueSetupCode();
  const runs = trackRuns({ config, env, store, bus, progressOf: (task) => registry.progress(task), url });
  opened.defer(() => closeInTime(env, "runs", () => runs.close()));
  let closing: Promise<void> | undefined;
  return {
    url,
    port,
    operatorToken,
    setupUrl: setupCode === null ? null : `${url}/setup#code=${setupCode}`,
    tufRoot: releases.root,
    routes,
    tlsFingerprint: tls?.fingerprint,
    notices,
    reloadCertificate: () => certificateFiles?.reload() ?? Promise.resolve(),
    mintEnrolmentToken: (population) => enrolment.mintToken(population),
    close: () => (closing ??= opened.disposeAsync()),
  };
}

/** Waits for a room to close, but not longer than a process may take to end. */
async function closeInTime(
  { clock, log }: Env,
  room: keyof typeof CLOSE_MS,
  close: () => Promise<unknown>,
): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = clock.schedule(CLOSE_MS[room], () => {
    log.warn("coordinator: a room did not close in time", { room });
    resolve();
  });
  try {
    await Promise.race([close(), late]);
  } finally {
    timer.cancel();
  }
}

/** A name for the address in URLs; "all interfaces" is none, loopback is one of them. */
function reachableHost(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}
