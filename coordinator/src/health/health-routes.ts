import { failure, type Env } from "@tributary/core";
import { addMetrics, checkMetrics, healthMetrics } from "@tributary/metrics";
import {
  healthMessage,
  HealthReport,
  ModelHealthView,
  ModelNameSchema,
  PopulationNameSchema,
  verifySignature,
} from "@tributary/protocol";
import Type from "typebox";
import { checkCertificate } from "../gateway/greeting.ts";
import type { App } from "../http/app.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { DeviceHealthRecord } from "../ports/device-records.ts";
import type { Registry } from "../registry/registry.ts";
import { certificateOf, proofOf } from "../rounds/upload-headers.ts";
import { modelHealth } from "./health-view.ts";

/** Versions of which what one device told is kept. */
const KEPT_OF_DEVICE = 8;
/** Sessions whose reports are told from ones that come again: tabs of a site, and those before. */
const KEPT_SESSIONS = 16;

export interface HealthRouteOptions {
  readonly env: Pick<Env, "clock">;
  readonly store: Pick<
    MetadataStore,
    "certificateLog" | "deviceHealth" | "devices" | "transaction" | "versions"
  >;
  readonly registry: Pick<Registry, "model">;
  readonly issuerPublicKey: Uint8Array;
  /** Least time between two reports of a device on one version. */
  readonly intervalMs: number;
  /** A device told which version runs on it, and by which engine. */
  readonly told: (
    device: DeviceHealthRecord["deviceId"],
    runs: Pick<DeviceHealthRecord, "model" | "version" | "engine">,
  ) => void;
}

/** What single devices tell of the versions that run on them, where their app lets them; and operators read. */
export function registerHealthRoutes(app: App, options: HealthRouteOptions): void {
  const { env, store, registry } = options;

  app.put(
    "/v1/populations/:population/device/health",
    {
      config: { audience: "device" },
      schema: {
        summary: "Tell how a version fares on the device that asks",
        tags: ["devices"],
        security: [{ device: [] }],
        params: Type.Object({ population: PopulationNameSchema }),
        body: HealthReport,
        response: { 204: Type.Null() },
      },
    },
    async (request, reply) => {
      const { body: report, params, headers } = request;
      const certificate = certificateOf(headers.authorization);
      const sender = await checkCertificate({ ...options, clock: env.clock }, certificate);
      const { device: deviceId, population, publicKey } = sender;
      if (population !== params.population) {
        throw failure("identity/wrong-population", `health: ${deviceId} is of ${population}`);
      }
      if (!(await verifySignature(publicKey, proofOf(headers), healthMessage(certificate, report)))) {
        throw failure("identity/invalid-proof", `health: the report of ${deviceId} is not signed by its key`);
      }
      await keep(options, report, { deviceId, population });
      options.told(deviceId, report);
      return reply.status(204).header("cache-control", "no-store").send(null);
    },
  );

  app.get(
    "/v1/models/:model/health",
    {
      schema: {
        summary: "How the versions of a model fare on the devices that tell of it, newest first",
        tags: ["operator"],
        params: Type.Object({ model: ModelNameSchema }),
        response: { 200: ModelHealthView },
      },
    },
    async ({ params }) => {
      const { name } = await registry.model(params.model);
      return { versions: await modelHealth(store, name) };
    },
  );
}

/**
 * Adds a report to what the device told before; one that is there already is not added again.
 *
 * @throws `coordinator/unknown-version`, `update/invalid-metrics`, `http/too-many-requests`
 */
async function keep(
  { env, store, intervalMs }: HealthRouteOptions,
  { model, version, engine, session, sequence, counts }: HealthReport,
  sender: Pick<DeviceHealthRecord, "deviceId" | "population">,
): Promise<void> {
  if ((await store.versions.get(model, version)) === undefined) {
    throw failure("coordinator/unknown-version", `health: "${model}" has no version ${version}`, {
      detail: { model, version },
    });
  }
  const sums = checkMetrics(healthMetrics, counts);
  const at = env.clock.now();
  await store.transaction(async (tx) => {
    const before = await tx.deviceHealth.get({ deviceId: sender.deviceId, model, version });
    const sessions = before?.sessions ?? [];
    const told = sessions.find(([name]) => name === session)?.[1] ?? 0;
    if (sequence <= told) return;
    const waitMs = before === undefined ? 0 : before.at + intervalMs - at;
    if (waitMs > 0) {
      throw failure("http/too-many-requests", `health: ${sender.deviceId} told of it just before`, {
        detail: { retryAfterMs: waitMs },
      });
    }
    if (before !== undefined) addMetrics(sums, Float64Array.from(before.counts));
    const others = sessions.filter(([name]) => name !== session);
    const record: DeviceHealthRecord = {
      ...sender,
      model,
      version,
      engine,
      counts: Array.from(sums),
      sessions: [[session, sequence] as const, ...others].slice(0, KEPT_SESSIONS),
      firstAt: before?.firstAt ?? at,
      at,
    };
    await tx.deviceHealth.put(record, KEPT_OF_DEVICE);
  });
}
