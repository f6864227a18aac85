import type { ModelVersion } from "@tributary/core";
import type { WatchedDevices } from "@tributary/federation";
import { HEALTH_LATENCY_BINS, healthMetrics, readMetrics } from "@tributary/metrics";
import { evidenceOf, type RolloutGate } from "@tributary/protocol";
import type { MetadataStore } from "../ports/metadata-store.ts";
import type { DeviceHealthRecord } from "../ports/device-records.ts";
import type { RolloutRecord, WatchedDeviceRecord } from "../ports/rollout-records.ts";

/** Reports that come while others are read are seen by the next look. */
const OVERLAP_MS = 2_000;

/** What a look at the reports of single devices found. */
export interface DeviceLook {
  /** By version: devices whose time is up, which count now. */
  readonly counted: ReadonlyMap<ModelVersion, WatchedDevices>;
  /** Rows to be stored with what follows from it. */
  readonly watched: readonly WatchedDeviceRecord[];
  readonly toldBefore: number;
}

/**
 * Whom a rollout watches. A device counts once on a version, with all that it told in its time from the first report on, whatever that was:
 * counting it as soon as it fails would show more failures of the version that came last.
 */
export class DeviceWatch {
  readonly #store: Pick<MetadataStore, "deviceHealth" | "rollouts">;
  readonly #rows = new Map<string, WatchedDeviceRecord>();

  constructor(store: Pick<MetadataStore, "deviceHealth" | "rollouts">) {
    this.#store = store;
  }

  /** What an earlier process watched. */
  async open(of: Pick<RolloutRecord, "model" | "rollout">): Promise<this> {
    this.stored(await this.#store.rollouts.watched(of));
    return this;
  }

  /** These rows are in the store. */
  stored(rows: readonly WatchedDeviceRecord[]): void {
    for (const row of rows) this.#rows.set(keyOf(row), row);
  }

  async look(record: RolloutRecord, now: number): Promise<DeviceLook> {
    const { model, rollout, config, state, evidence, createdAt } = record;
    const { spec } = config;
    const live = state.arms.filter(({ ended }) => ended === null).map(({ version }) => version);
    const versions = [config.control, ...live];
    const opened = new Map<string, WatchedDeviceRecord>();
    for (const version of versions) {
      const since = Math.max(createdAt, evidence.toldBefore - OVERLAP_MS);
      for (const told of await this.#store.deviceHealth.toldSince(model, version, since)) {
        const { deviceId, population, firstAt, at, counts } = told;
        const key = keyOf({ version, deviceId });
        if (population !== spec.population || this.#rows.has(key)) continue;
        const before = firstAt < createdAt;
        opened.set(key, {
          model,
          rollout,
          deviceId,
          version,
          openedAt: before ? at : firstAt,
          baseline: before ? counts : null,
          countedAt: null,
        });
      }
    }
    const counted = new Map<ModelVersion, WatchedDevices>();
    const written = new Map(opened);
    for (const version of versions) {
      const due = [...this.#rows.values(), ...opened.values()].filter(
        (each) =>
          each.version === version && each.countedAt === null && each.openedAt + spec.observeMs <= now,
      );
      const told: DeviceHealthRecord[] = [];
      for (const each of due.toSorted((a, b) => (a.deviceId < b.deviceId ? -1 : 1))) {
        const found = await this.#store.deviceHealth.get(each);
        // Whoever was erased since is not written down again.
        if (found === undefined) this.#rows.delete(keyOf(each));
        if (found === undefined) written.delete(keyOf(each));
        if (found === undefined || !toldMore(found, each)) continue;
        written.set(keyOf(each), { ...each, countedAt: now });
        told.push({ ...found, counts: since(found.counts, each.baseline) });
      }
      if (told.length > 0) counted.set(version, watchedDevices(spec.gates, told));
    }
    return { counted, watched: [...written.values()], toldBefore: now };
  }
}

function keyOf({ version, deviceId }: Pick<WatchedDeviceRecord, "version" | "deviceId">): string {
  return `${version} ${deviceId}`;
}

function since(counts: readonly number[], baseline: readonly number[] | null): number[] {
  return counts.map((count, i) => count - (baseline?.[i] ?? 0));
}

/** A device that has told nothing since it was first heard of is waited for. */
function toldMore({ counts }: DeviceHealthRecord, { baseline }: WatchedDeviceRecord): boolean {
  return since(counts, baseline).some((count) => count > 0);
}

function watchedDevices(
  gates: readonly RolloutGate[],
  told: readonly Pick<DeviceHealthRecord, "counts">[],
): WatchedDevices {
  return {
    devices: told.length,
    values: gates.map((gate) =>
      evidenceOf(gate) === "devices" ? told.flatMap(({ counts }) => valueOf(gate, counts) ?? []) : [],
    ),
  };
}

/** What a device shows by a gate, 0 to 1, more is worse; undefined where it says nothing of it. */
export function valueOf(gate: RolloutGate, counts: readonly number[]): number | undefined {
  const { counters, histograms } = readMetrics(healthMetrics, Float64Array.from(counts));
  const { runs, crashes, selfCheckFailures, ...errors } = counters;
  switch (gate.metric) {
    case "crashes":
      return crashes > 0 ? 1 : 0;
    case "self-checks":
      return selfCheckFailures > 0 ? 1 : 0;
    case "errors": {
      const failed = Object.values(errors).reduce((sum, count) => sum + count, 0);
      return failed === 0 ? 0 : failed / (failed + runs);
    }
    case "latency": {
      const { edges } = HEALTH_LATENCY_BINS;
      const slow = histograms.latency.counts.slice(edges.indexOf(gate.latencyMs ?? 0) + 1);
      return runs === 0 ? undefined : Math.min(1, slow.reduce((sum, count) => sum + count, 0) / runs);
    }
    case "accuracy":
    case "confidence":
    case "drift":
      return undefined;
  }
}
