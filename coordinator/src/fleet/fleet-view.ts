import type { DeviceId, ModelName, PopulationName } from "@tributary/core";
import {
  MAX_ADOPTION_LINES,
  type DeviceListQuery,
  type DeviceView,
  type FleetHistory,
} from "@tributary/protocol";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type {
  AdoptionRecord,
  FleetDeviceRecord,
  FleetFilter,
  FleetHourRecord,
} from "../ports/device-records.ts";
import { timestamp } from "../registry/views.ts";
import { HOUR_MS } from "./fleet.ts";

/** Most points of a line. */
const MAX_POINTS = 240;

/** A device, as operators see it. */
export function deviceView(
  record: FleetDeviceRecord,
  isConnected: (device: DeviceId) => boolean,
): DeviceView {
  const { deviceId, population, state, enrolledAt, lastSeenAt, certificateExpiresAt, software } = record;
  return {
    deviceId,
    population,
    state,
    connected: isConnected(deviceId),
    enrolledAt: timestamp(enrolledAt),
    lastSeenAt: lastSeenAt === null ? null : timestamp(lastSeenAt),
    certificateExpiresAt: timestamp(certificateExpiresAt),
    software,
    versions: record.versions.map(({ at, ...version }) => ({ ...version, at: timestamp(at) })),
    tags: record.tags,
  };
}

/** What a query looks for. A version or an engine without its model says nothing, and is refused by the caller. */
export function filterOf({
  model,
  version,
  seenSince,
  seenBefore,
  cursor: _cursor,
  limit: _limit,
  ...rest
}: DeviceListQuery): FleetFilter {
  return {
    ...rest,
    ...(model === undefined ? {} : { model: model as ModelName }),
    ...(version === undefined ? {} : { version: version as NonNullable<FleetFilter["version"]> }),
    ...(seenSince === undefined ? {} : { seenSince: Date.parse(seenSince) }),
    ...(seenBefore === undefined ? {} : { seenBefore: Date.parse(seenBefore) }),
  };
}

/** The last hours of a fleet, in at most some 240 points. */
export async function fleetHistory(
  store: Pick<MetadataStore, "fleet">,
  of: {
    readonly nowMs: number;
    readonly hours: number;
    readonly model?: ModelName;
    readonly population?: PopulationName;
  },
): Promise<FleetHistory> {
  const { nowMs, hours, model, population } = of;
  const stepHours = Math.ceil(hours / MAX_POINTS);
  const since = Math.floor(nowMs / HOUR_MS) - hours + 1;
  const asked = { since, ...(population === undefined ? {} : { population }) };
  const adoption = model === undefined ? [] : await store.fleet.adoption(model, asked);
  return {
    stepHours,
    checkIns: checkInPoints(await store.fleet.hours(asked), stepHours),
    ...adoptionPoints(adoption, stepHours),
  };
}

const stepOf = (hour: number, stepHours: number): number => Math.floor(hour / stepHours) * stepHours;

function checkInPoints(hours: readonly FleetHourRecord[], stepHours: number): FleetHistory["checkIns"] {
  return [...Map.groupBy(hours, ({ hour }) => stepOf(hour, stepHours))].map(([hour, all]) => ({
    at: timestamp(hour * HOUR_MS),
    checkIns: all.reduce((sum, { checkIns }) => sum + checkIns, 0),
    devices: Math.max(...all.map(({ devices }) => devices)),
  }));
}

function adoptionPoints(
  records: readonly AdoptionRecord[],
  stepHours: number,
): Pick<FleetHistory, "versions" | "adoption"> {
  const most = new Map<AdoptionRecord["version"], number>();
  for (const { version, devices } of records) most.set(version, Math.max(most.get(version) ?? 0, devices));
  const versions = [...most]
    .toSorted(([, a], [, b]) => b - a)
    .slice(0, MAX_ADOPTION_LINES)
    .map(([version]) => version)
    .toSorted((a, b) => a - b);
  const steps = [...Map.groupBy(records, ({ hour }) => stepOf(hour, stepHours))];
  return {
    versions,
    adoption: steps.map(([hour, all]) => {
      const last = all.at(-1)!.hour;
      const counted = new Map(
        all.filter((each) => each.hour === last).map(({ version, devices }) => [version, devices] as const),
      );
      const devices = versions.map((version) => counted.get(version) ?? 0);
      const total = [...counted.values()].reduce((sum, each) => sum + each, 0);
      return {
        at: timestamp(hour * HOUR_MS),
        devices,
        others: total - devices.reduce((sum, each) => sum + each, 0),
      };
    }),
  };
}
