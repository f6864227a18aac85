import type { DevicesView, RefusedVersionView } from "@tributary/protocol";
import { Counter, Gauge, type Registry } from "prom-client";
import { spaceOf } from "../alerts/space.ts";
import type { MetadataStore } from "../ports/metadata-store.ts";
import { expiryOf } from "../releases/role-files.ts";
import type { StorageProblem } from "../storage-health.ts";

export interface StateSources {
  readonly dataDir: string;
  readonly store: Pick<MetadataStore, "models" | "tasks" | "versions" | "devices" | "releases" | "audit">;
  readonly devices: () => DevicesView;
  readonly refusedVersions: () => readonly RefusedVersionView[];
  readonly storageProblem: () => StorageProblem | null;
  /** Requests of operators that were refused, by the code of the error. */
  readonly accessRefusals: ReadonlyMap<string, number>;
}

const TASK_STATES = ["running", "paused", "finished"] as const;

/** What is read when somebody asks: how things stand now. */
export function registerStateMetrics(registry: Registry, sources: StateSources): void {
  const { store } = sources;
  const registers = [registry];

  new Gauge({
    name: "tributary_devices",
    help: "Devices by what they do now: connected, training; enrolled: all that are known.",
    labelNames: ["state"],
    registers,
    async collect() {
      const { connected, training } = sources.devices();
      this.set({ state: "connected" }, connected);
      this.set({ state: "training" }, training);
      this.set({ state: "enrolled" }, await store.devices.count());
    },
  });
  new Gauge({
    name: "tributary_model_version",
    help: "Version numbers of a model: newest, and released (on its channel).",
    labelNames: ["model", "kind"],
    registers,
    async collect() {
      this.reset();
      for (const { name: model, currentVersion, releasedVersion } of await store.models.list()) {
        this.set({ model, kind: "newest" }, currentVersion);
        this.set({ model, kind: "released" }, releasedVersion);
      }
    },
  });
  new Gauge({
    name: "tributary_version_quality",
    help: "Loss and accuracy of a model's versions on held-out data: of the newest, and the released one.",
    labelNames: ["model", "kind", "measure"],
    registers,
    async collect() {
      this.reset();
      for (const { name: model, currentVersion, releasedVersion } of await store.models.list()) {
        for (const [kind, number] of Object.entries({ newest: currentVersion, released: releasedVersion })) {
          const version = await store.versions.get(model, number);
          const { loss = null, accuracy = null } = version ?? {};
          if (loss !== null) this.set({ model, kind, measure: "loss" }, loss);
          if (accuracy !== null) this.set({ model, kind, measure: "accuracy" }, accuracy);
        }
      }
    },
  });
  new Gauge({
    name: "tributary_task_state",
    help: "1 for the state that a task is in: running, paused or finished.",
    labelNames: ["task", "model", "state"],
    registers,
    async collect() {
      this.reset();
      for (const { name: task, model, state: now } of await store.tasks.list())
        for (const state of TASK_STATES) this.set({ task, model, state }, state === now ? 1 : 0);
    },
  });
  new Counter({
    name: "tributary_access_refused_total",
    help: "Requests of operators that were refused, by the code of the error.",
    labelNames: ["code"],
    registers,
    collect() {
      this.reset();
      for (const [code, count] of sources.accessRefusals) this.inc({ code }, count);
    },
  });
  new Gauge({
    name: "tributary_metadata_expires_timestamp_seconds",
    help: "When the signed metadata of a role expires: devices take no update after that.",
    labelNames: ["role"],
    registers,
    async collect() {
      this.reset();
      for (const signed of await store.releases.allLatest())
        this.set({ role: signed.role }, (await expiryOf(signed)) / 1_000);
    },
  });
  new Gauge({
    name: "tributary_refused_version_devices",
    help: "Devices that did not let a version take the place of the one that runs, by the error's code.",
    labelNames: ["model", "version", "code"],
    registers,
    collect() {
      this.reset();
      for (const { model, version, code, devices } of sources.refusedVersions())
        this.set({ model, version, code }, devices);
    },
  });
  new Gauge({
    name: "tributary_storage_problem",
    help: "1 while nothing can be written to the data directory.",
    registers,
    collect() {
      this.set(sources.storageProblem() === null ? 0 : 1);
    },
  });
  new Gauge({
    name: "tributary_data_dir_bytes",
    help: "Of the file system with the data directory: free for the coordinator, and in all.",
    labelNames: ["kind"],
    registers,
    async collect() {
      const { free, total } = await spaceOf(sources.dataDir);
      this.set({ kind: "free" }, free);
      this.set({ kind: "total" }, total);
    },
  });
  new Gauge({
    name: "tributary_audit_records",
    help: "Records in the audit log.",
    registers,
    async collect() {
      this.set((await store.audit.head()).size);
    },
  });
}
