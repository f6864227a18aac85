import { silentLogger, systemRandom } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import { EVERY_SUBJECT } from "../../src/access/subject-scope.ts";
import { createInProcessBus } from "../../src/adapters/bus/in-process-bus.ts";
import { openFolderBlobStore } from "../../src/adapters/blob/folder-blob-store.ts";
import { openSqlMetadataStore } from "../../src/adapters/sql/sql-metadata-store.ts";
import { createAlerts } from "../../src/alerts/alerts.ts";
import { createNotifier, type NotifierContext } from "../../src/notify/notifier.ts";
import type { BusTopics } from "../../src/ports/bus.ts";
import { exampleModel, exampleVersion } from "../../src/testing/index.ts";
import { temporaryFolder } from "../temporary-folder.ts";
import { join } from "node:path";
import type { AlertView, DevicesView, PushView, RefusedVersionView } from "@tributary/protocol";
import type { StorageProblem } from "../../src/storage-health.ts";

/** Alerts on a real database, at a time of their own; `signals` is what the process would say. */
export async function openAlertsRoom(sending: Partial<NotifierContext["sending"]> = {}) {
  const folder = await temporaryFolder();
  const clock = createVirtualClock({ startMs: Date.UTC(2026, 0, 1) });
  const env = { clock, random: systemRandom, log: silentLogger };
  const blobs = await openFolderBlobStore({ folder: join(folder.path, "blobs") });
  const events: BusTopics["event"][] = [];
  const signals = {
    space: { free: 50, total: 100 },
    devices: { connected: 1, training: 0 } as DevicesView,
    refused: [] as RefusedVersionView[],
    push: null as PushView | null,
    problem: null as StorageProblem | null,
    busy: 0,
  };

  const rooms = async () => {
    const store = await openSqlMetadataStore({ path: join(folder.path, "tributary.db") });
    const bus = createInProcessBus(silentLogger);
    bus.subscribe("event", (event) => void events.push(event));
    const notifier = createNotifier({
      env,
      store,
      name: "here",
      url: () => "https://fl.example",
      sending: {
        rules: { allowHosts: ["*"], allowPrivate: true },
        secrets: { folder: folder.path, environment: {} },
        ...sending,
      },
    });
    const alerts = createAlerts({
      env,
      store,
      bus,
      notifier,
      readBusy: () => signals.busy,
      signals: {
        blobs,
        space: () => Promise.resolve(signals.space),
        devices: () => signals.devices,
        refusedVersions: () => signals.refused,
        push: () => signals.push,
        storageProblem: () => signals.problem,
      },
    });
    const close = async () => {
      await alerts.close();
      await notifier.close();
      await bus.close();
      await store.close();
    };
    return { store, bus, alerts, notifier, close };
  };
  let open = await rooms();

  return {
    folder: folder.path,
    clock,
    env,
    blobs,
    events,
    signals,
    get store() {
      return open.store;
    },
    get bus() {
      return open.bus;
    },
    get alerts() {
      return open.alerts;
    },
    get notifier() {
      return open.notifier;
    },
    async publish(versions = 1): Promise<void> {
      await open.store.models.insert(exampleModel());
      for (let number = 1; number <= versions; number++)
        await open.store.versions.insert(exampleVersion(number, { releasedAt: number === 1 ? 1 : null }));
    },
    /** As after a crash: what was not stored is gone. */
    async restart(): Promise<void> {
      await open.close();
      open = await rooms();
    },
    async look(afterMs = 0): Promise<void> {
      clock.advance(afterMs);
      await open.alerts.look();
    },
    async list(state?: AlertView["state"]): Promise<readonly AlertView[]> {
      return (await open.alerts.list({ limit: 500, ...(state && { state }) }, EVERY_SUBJECT)).alerts;
    },
    async dispose(): Promise<void> {
      await open.close();
      await blobs.close();
      await folder.remove();
    },
  };
}

export type AlertsRoom = Awaited<ReturnType<typeof openAlertsRoom>>;
