import { failure, type DeviceId, type ModelName } from "@tributary/core";
import {
  DeviceDetailView,
  DeviceIdSchema,
  DeviceList,
  DeviceListQuery,
  DeviceRevocation,
  DeviceView,
  FleetHistory,
  FleetHistoryQuery,
  FleetQuery,
  FleetView,
  MAX_FLEET_GROUPS,
} from "@tributary/protocol";
import Type from "typebox";
import { actorOf } from "../access/principal.ts";
import { HEALTH_KEPT_MS } from "../housekeeping.ts";
import type { App } from "../http/app.ts";
import { LISTS } from "../pages/lists.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { FleetDeviceRecord } from "../ports/device-records.ts";
import { timestamp } from "../registry/views.ts";
import type { Fleet } from "./fleet.ts";
import { deviceView, filterOf, fleetHistory } from "./fleet-view.ts";
import { readmitDevice, revokeDevice, type RevocationOptions } from "./revocation.ts";

/** Refusals that stand with a device. */
const NEWEST_REFUSALS = 20;

export interface FleetRouteOptions extends RevocationOptions {
  readonly store: Pick<MetadataStore, "audit" | "fleet" | "refusals" | "transaction">;
  readonly fleet: Pick<Fleet, "freshen">;
  readonly isConnected: (device: DeviceId) => boolean;
  readonly connectedCount: () => number;
}

const tags = ["fleet"];
const security = [{ operator: [] }];
const params = Type.Object({ device: DeviceIdSchema });

/** `/v1/devices` and `/v1/fleet`: who takes part is the operator's to know, and to end. */
export function registerFleetRoutes(app: App, options: FleetRouteOptions): void {
  const { env, store, fleet, isConnected, connectedCount } = options;
  const found = async (device: DeviceId): Promise<FleetDeviceRecord> => {
    const record = await store.fleet.get(device);
    if (record !== undefined) return record;
    throw failure("identity/unknown-device", `http: no device ${device} is enrolled here`, {
      detail: { deviceId: device },
    });
  };

  app.get(
    "/v1/devices",
    {
      schema: {
        summary: "Devices by id, page by page: those of which all that is given holds",
        tags,
        security,
        querystring: DeviceListQuery,
        response: { 200: DeviceList },
      },
    },
    async ({ query }, reply) => {
      if (query.model === undefined && (query.version !== undefined || query.engine !== undefined))
        throw failure("http/bad-request", "http: version and engine are of a model: name it too", {
          detail: { in: "querystring", path: "/model" },
        });
      await fleet.freshen();
      const filter = filterOf(query);
      const { rows, next } = await LISTS.devices(query, ({ limit, before: after }) =>
        store.fleet.list(filter, { limit, ...(after === undefined ? {} : { after }) }),
      );
      return reply.header("cache-control", "private, no-store").send({
        devices: rows.map((record) => deviceView(record, isConnected)),
        total: await store.fleet.count(filter),
        next,
      });
    },
  );

  app.get(
    "/v1/devices/:device",
    {
      schema: {
        summary: "What is known of a device",
        tags,
        security,
        params,
        response: { 200: DeviceDetailView },
      },
    },
    async ({ params: { device } }, reply) => {
      await fleet.freshen();
      const view = deviceView(await found(device), isConnected);
      const newest = await store.refusals.list({ deviceId: device, limit: NEWEST_REFUSALS });
      return reply.header("cache-control", "private, no-store").send({
        ...view,
        refusals: {
          total: await store.refusals.count(device),
          newest: newest.map(({ roundId: round, code, at }) => ({ round, code, at: timestamp(at) })),
        },
        auditName: (await store.audit.pseudonym(device)) ?? null,
      });
    },
  );

  app.post(
    "/v1/devices/:device/revocation",
    {
      schema: {
        summary:
          "Revoke a device: its connection ends within a second, and it is refused everywhere from then on",
        tags,
        security,
        params,
        body: DeviceRevocation,
        response: { 200: DeviceView },
      },
    },
    async (request) => {
      const { device } = request.params;
      await revokeDevice(options, actorOf(request), device, request.body.reason);
      return deviceView(await found(device), isConnected);
    },
  );

  app.delete(
    "/v1/devices/:device/revocation",
    {
      schema: {
        summary:
          "Let a revoked device enrol again; until it does, and with its old certificates, it is refused",
        tags,
        security,
        params,
        response: { 200: DeviceView },
      },
    },
    async (request) => {
      const { device } = request.params;
      await readmitDevice(options, actorOf(request), device);
      return deviceView(await found(device), isConnected);
    },
  );

  app.get(
    "/v1/fleet",
    {
      schema: {
        summary:
          "Devices by population, version, engine, software and tag: those that were heard of within 30 days",
        tags,
        security,
        querystring: FleetQuery,
        response: { 200: FleetView },
      },
    },
    async ({ query: { population } }, reply) => {
      await fleet.freshen();
      const { known, active, revoked, ...groups } = await store.fleet.counts({
        ...(population === undefined ? {} : { population }),
        seenSince: env.clock.now() - HEALTH_KEPT_MS,
        limit: MAX_FLEET_GROUPS,
      });
      return reply
        .header("cache-control", "private, no-store")
        .send({ devices: { known, active, revoked, connected: connectedCount() }, ...groups });
    },
  );

  app.get(
    "/v1/fleet/history",
    {
      schema: {
        summary: "Check-ins, and which versions ran on how many devices, hour by hour",
        tags,
        security,
        querystring: FleetHistoryQuery,
        response: { 200: FleetHistory },
      },
    },
    async ({ query: { model, ...query } }, reply) => {
      await fleet.freshen();
      const history = await fleetHistory(store, {
        ...query,
        ...(model === undefined ? {} : { model: model as ModelName }),
        nowMs: env.clock.now(),
      });
      return reply.header("cache-control", "private, no-store").send(history);
    },
  );
}
