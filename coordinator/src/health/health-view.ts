import { addMetrics, createMetrics, healthMetrics, quantile, readMetrics } from "@tributary/metrics";
import type { VersionHealthView } from "@tributary/protocol";
import type { ModelName } from "@tributary/core";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { DeviceHealthRecord } from "../ports/device-records.ts";
import { timestamp } from "../registry/views.ts";

/** Rows that are read at once. */
const PAGE = 1000;

/** What a version did on devices so far. */
interface Total {
  readonly version: DeviceHealthRecord["version"];
  readonly sums: Float64Array<ArrayBuffer>;
  devices: number;
  crashedDevices: number;
  at: number;
}

/** How each version of a model fares on the devices that tell of it, the newest first. */
export async function modelHealth(
  store: Pick<MetadataStore, "deviceHealth">,
  model: ModelName,
): Promise<VersionHealthView[]> {
  const totals: Total[] = [];
  let page = await store.deviceHealth.list(model, { limit: PAGE });
  while (page.length > 0) {
    for (const record of page) add(totals, record);
    page = await store.deviceHealth.list(model, { limit: PAGE, after: page.at(-1)! });
  }
  return totals.map(viewOf);
}

function add(totals: Total[], record: DeviceHealthRecord): void {
  const { version, at } = record;
  const last = totals.at(-1);
  const total =
    last?.version === version
      ? last
      : { version, sums: createMetrics(healthMetrics), devices: 0, crashedDevices: 0, at };
  if (total !== last) totals.push(total);
  const counts = Float64Array.from(record.counts);
  addMetrics(total.sums, counts);
  total.devices += 1;
  if (readMetrics(healthMetrics, counts).counters.crashes > 0) total.crashedDevices += 1;
  total.at = Math.max(total.at, at);
}

function viewOf({ version, sums, devices, crashedDevices, at }: Total): VersionHealthView {
  const { counters, histograms } = readMetrics(healthMetrics, sums);
  const { runs, crashes, selfCheckFailures, ...errors } = counters;
  const { latency } = histograms;
  return {
    version,
    devices,
    runs,
    crashes,
    crashedDevices,
    selfCheckFailures,
    errors: Object.fromEntries(
      Object.entries(errors).flatMap(([name, count]) =>
        count > 0 ? [[name.slice("errors.".length), count] as const] : [],
      ),
    ),
    latencyMs: {
      p50: quantile(latency, 0.5) ?? null,
      p95: quantile(latency, 0.95) ?? null,
      edges: latency.bins.edges,
      counts: Array.from(latency.counts),
    },
    at: timestamp(at),
  };
}
