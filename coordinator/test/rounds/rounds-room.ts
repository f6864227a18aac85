import { createHash } from "node:crypto";
import { join } from "node:path";
import type { AddressInfo } from "node:net";
import {
  asModelName,
  asPopulationName,
  asTaskName,
  encodeBase64url,
  silentLogger,
  systemEnv,
  type Digest,
  type Env,
  type RoundId,
} from "@tributary/core";
import type { FastifyBaseLogger } from "fastify";
import { build2nn, buildLinear } from "@tributary/onnx";
import {
  CERTIFICATE_SCHEME,
  encodeUpdate,
  PROOF_HEADER,
  uploadMessage,
  type Offer,
  type RoundOffer,
  type RequestReport,
} from "@tributary/protocol";
import { parametersFromSafetensors, schemaDigest, tensor, writeSafetensors } from "@tributary/tensor";
import { openFolderBlobStore } from "../../src/adapters/blob/folder-blob-store.ts";
import { createInProcessBus } from "../../src/adapters/bus/in-process-bus.ts";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import { resolveConfig, type CoordinatorConfig } from "../../src/config.ts";
import { createCertificateLog } from "../../src/enrolment/certificate-log.ts";
import { createEnrolment } from "../../src/enrolment/enrolment.ts";
import { createGateway } from "../../src/gateway/gateway.ts";
import type { DeviceGateway } from "../../src/gateway/gateway-types.ts";
import { createAccessPolicy } from "../../src/http/access-policy.ts";
import { createApp } from "../../src/http/app.ts";
import { registerBlobRoutes } from "../../src/http/blob-routes.ts";
import { registerHttpTracing } from "../../src/observability/tracing/http-tracing.ts";
import type { Tracing } from "../../src/observability/tracing/tracing.ts";
import { createRegistry } from "../../src/registry/registry.ts";
import { createReleases } from "../../src/releases/releases.ts";
import { createRounds } from "../../src/rounds/rounds.ts";
import { createSteadyNow } from "../../src/steady-time.ts";
import { guardFor } from "../operator.ts";
import { DeviceSocket, enrolDevice, type TestIdentity } from "../device-socket.ts";
import { temporaryFolder } from "../temporary-folder.ts";

export const model = asModelName("digits");
const population = asPopulationName("default");

/** What an operator sends as `Authorization`. */
export const OPERATOR = "Bearer operator";

export type RoomOptions = Pick<CoordinatorConfig, "keepAggregates" | "strategies"> & {
  /** Of the HTTP server. */
  readonly logger?: FastifyBaseLogger;
  readonly tracing?: Tracing;
};

/** The rooms that rounds need, real ones, in a folder. `stop` leaves the folder, as a crash would, for the next `start`. */
export async function startRoom(
  dataDir: string,
  overrides: Partial<Env> = {},
  { logger, tracing, ...more }: RoomOptions = {},
) {
  const env = systemEnv({ log: silentLogger, ...overrides });
  const steadyNow = createSteadyNow(env.clock);
  const config = resolveConfig({ dataDir, ...more });
  const { strategies } = config;
  const store = await openSqlMetadataStore({ path: join(dataDir, "tributary.db") });
  const blobs = await openFolderBlobStore({ folder: join(dataDir, "blobs") });
  const bus = createInProcessBus(silentLogger);
  const access = createAccessPolicy(config);
  const guard = guardFor({ operator: OPERATOR, anonymous: "viewer", store });
  const { app } = await createApp({
    config,
    access,
    guard,
    version: "0",
    ...(logger === undefined ? {} : { logger }),
  });
  const tracer = tracing === undefined ? {} : { tracer: tracing.tracer };
  if (tracing !== undefined) {
    registerHttpTracing(app, {
      ...tracing,
      isOperator: ({ headers }) => headers.authorization === OPERATOR,
    });
  }
  const releases = await createReleases({ config, env, store });
  const certificateLog = createCertificateLog({ env, store, releases });
  const enrolment = await createEnrolment({ config, env, store, logGrew: () => certificateLog.grew() });
  const { issuerPublicKey } = enrolment;
  const registry = createRegistry({ store, blobs, bus, env, releases, strategies, issuerPublicKey });
  const rounds = createRounds({
    env,
    steadyNow,
    store,
    blobs,
    bus,
    releases,
    strategies,
    keepAggregates: config.keepAggregates,
    access,
    issuerPublicKey,
    certificateLog,
    dataDir,
    ...tracer,
    connectionOf: (device) => gateway.connectionOf(device),
    send: (device, message) => gateway.send(device, message),
    countsChanged: () => gateway.countsChanged(),
  });
  const gateway: DeviceGateway = createGateway({
    env,
    steadyNow,
    access,
    issuerPublicKey,
    store,
    bus,
    ...tracer,
    handler: rounds.handler,
    training: () => rounds.training(),
    // Devices here are scripted and send no heartbeats; a virtual clock would find them silent for hours.
    ...(overrides.clock === undefined ? {} : { limits: { idleTimeoutMs: Infinity } }),
  });
  registerBlobRoutes(app, {
    blobs,
    store,
    clock: env.clock,
    maxBlobBytes: 1e9,
    identify: guard.identify,
  });
  rounds.register(app);
  await rounds.start();
  gateway.attach(app.server);
  await app.listen({ host: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  let stopping: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    await rounds.close();
    await gateway.close();
    await app.close();
    await certificateLog.close();
    await releases.close();
    await bus.close();
    await blobs.close();
    await store.close();
  };
  return {
    url,
    store,
    blobs,
    bus,
    releases,
    registry,
    strategies,
    rounds,
    gateway,
    identity: (): Promise<TestIdentity> => enrolDevice(enrolment, population),
    device: async (): Promise<RoundDevice> =>
      RoundDevice.connect(url, await enrolDevice(enrolment, population)),
    /** Idempotent. */
    stop: (): Promise<void> => (stopping ??= stop()),
  };
}

export type Room = Awaited<ReturnType<typeof startRoom>>;

const BUILDS = { linear: buildLinear, "2nn": build2nn };

/** A model, a held-out data set and a task on it whose updates, unless `spec` says otherwise, come one by one and whose steps are exact. */
export async function publishTask(
  room: Room,
  spec: Record<string, unknown> = {},
  build: "linear" | "2nn" | Uint8Array = "linear",
): Promise<void> {
  await room.registry.publish(model, typeof build === "string" ? BUILDS[build]({ seed: 1 }) : build);
  const dataset = await room.blobs.put(heldOut());
  await room.registry.createTask({
    name: "digits",
    model,
    evaluation: { dataset: dataset.digest, batchSize: 16 },
    secureAggregation: { mode: "off" },
    stepPrecision: "float32",
    ...spec,
    cohort: {
      goalCount: 3,
      minimumCount: 2,
      overSelection: 1,
      trainDeadlineMs: 20_000,
      reportDeadlineMs: 10_000,
      ...(spec["cohort"] as object),
    },
  });
}

function heldOut(): Uint8Array {
  const count = 50;
  const images = new Uint8Array(count * 784).map((_, i) => (i * 31) % 256);
  const labels = new Int32Array(count).map((_, i) => i % 10);
  return writeSafetensors([
    ["images", tensor("uint8", [count, 1, 28, 28], images)],
    ["labels", tensor("int32", [count], labels)],
  ]);
}

/** An update's body as a device makes it. */
export interface Body {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digest: Digest;
  readonly numExamples: number;
}

/** A scripted device: real socket, real uploads, an update of its choosing. */
export class RoundDevice {
  readonly socket: DeviceSocket;
  readonly identity: TestIdentity;
  readonly #url: string;

  private constructor(url: string, identity: TestIdentity, socket: DeviceSocket) {
    this.#url = url;
    this.identity = identity;
    this.socket = socket;
  }

  static async connect(url: string, identity: TestIdentity): Promise<RoundDevice> {
    return new RoundDevice(url, identity, await DeviceSocket.connect(url, identity));
  }

  checkIn(examples = 100, task = "digits"): void {
    this.socket.send({ type: "check-in", task: asTaskName(task), examples });
  }

  offer(): Promise<Offer> {
    return this.socket.next("offer");
  }

  ready(offer: RoundOffer, body: Body): void {
    this.socket.send({
      type: "ready",
      roundId: offer.roundId,
      numExamples: body.numExamples,
      updateDigest: body.digest,
      sizeBytes: body.bytes.length,
    });
  }

  /** The upload that `request-report` asks for; `bytes` may be something else than was announced. */
  async put(
    request: Pick<RequestReport, "uploadPath" | "roundId">,
    body: Body,
    bytes: Uint8Array<ArrayBuffer> = body.bytes,
  ): Promise<{ status: number; code: string | undefined }> {
    const response = await fetch(`${this.#url}${request.uploadPath}`, {
      method: "PUT",
      headers: await this.headers(request.roundId, body.digest, bytes.length),
      body: bytes,
    });
    const answer = (await response.json()) as { code?: string };
    return { status: response.status, code: answer.code };
  }

  async headers(roundId: RoundId, digest: Digest, sizeBytes: number): Promise<Record<string, string>> {
    const proof = await this.identity.sign(uploadMessage(roundId, digest, sizeBytes));
    return {
      "content-type": "application/octet-stream",
      authorization: `${CERTIFICATE_SCHEME} ${encodeBase64url(this.identity.certificate)}`,
      [PROOF_HEADER]: encodeBase64url(proof),
    };
  }

  /** From offer to accepted upload. */
  async report(body: (offer: Offer) => Body): Promise<Offer> {
    const offer = await this.offer();
    const update = body(offer);
    this.ready(offer, update);
    const request = await this.socket.next("request-report");
    const answer = await this.put(request, update);
    if (answer.status !== 202) throw new Error(`upload refused: ${answer.code}`);
    return offer;
  }
}

/** Values, or one value for all, as an update of the room's model. */
export async function bodyMaker(room: Room) {
  const record = await room.registry.model(model);
  const schema = schemaDigest(record.parameters);
  return (
    offer: Pick<Offer, "roundId" | "task">,
    options: {
      value?: number;
      values?: Float32Array;
      numExamples?: number;
      schemaDigest?: Digest;
      roundId?: RoundId;
      metrics?: number[];
      count?: number;
    } = {},
  ): Body => {
    const { numExamples = 10, metrics = [2 * numExamples, numExamples / 2, numExamples, 1] } = options;
    const values =
      options.values ?? new Float32Array(options.count ?? record.parameterCount).fill(options.value ?? 0.001);
    const bytes = encodeUpdate(
      {
        roundId: options.roundId ?? offer.roundId,
        task: offer.task,
        schemaDigest: options.schemaDigest ?? schema,
        numExamples,
        metrics,
      },
      values,
    );
    return { bytes, digest: createHash("sha256").update(bytes).digest("hex") as Digest, numExamples };
  };
}

/** The weights of a version, as devices would load them. */
export async function weightsOf(room: Room, version: number): Promise<Float32Array> {
  const record = await room.registry.model(model);
  const stored = await room.store.versions.get(model, version as never);
  if (stored === undefined) throw new Error(`no version ${version}`);
  return parametersFromSafetensors(record.parameters, await room.blobs.bytes(stored.weights.digest)).values;
}

/** Rooms in folders of their own, all stopped and removed by `dispose`. */
export function rooms(): {
  readonly open: (env?: Partial<Env>, more?: RoomOptions) => Promise<Room & { readonly folder: string }>;
  readonly dispose: () => Promise<void>;
} {
  const disposals: (() => Promise<void>)[] = [];
  return {
    open: async (env, more) => {
      const folder = await temporaryFolder();
      const room = await startRoom(folder.path, env, more);
      disposals.push(
        () => folder.remove(),
        () => room.stop(),
      );
      return { ...room, folder: folder.path };
    },
    dispose: async () => {
      for (const dispose of disposals.splice(0).toReversed()) await dispose();
    },
  };
}

/** As many devices as there are updates send one each; resolves when the round's version is there. */
export async function playRound(
  room: Room,
  updates: readonly Float32Array[],
  numExamples: readonly number[] = updates.map(() => 10),
): Promise<number> {
  const body = await bodyMaker(room);
  const devices = await Promise.all(updates.map(() => room.device()));
  for (const device of devices) device.checkIn();
  await Promise.all(
    devices.map((device, i) =>
      device.report((offer) => body(offer, { values: updates[i]!, numExamples: numExamples[i]! })),
    ),
  );
  const outcome = await devices[0]!.socket.next("outcome");
  await Promise.all(devices.map(({ socket }) => socket.close()));
  return (outcome as { version?: number }).version ?? 0;
}
