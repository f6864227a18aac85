/** A page's device in its worker: engine, store, updater, learner and control socket live here. */
import { silentLogger, systemEnv } from "@tributary/core";
import { expose } from "comlink";
import { createDevice } from "../create-device.ts";
import { lazyPart } from "../lazy-part.ts";
import { openBrowserStore } from "../store/browser-store.ts";
import { browserConditions, type ConditionsNavigator } from "./browser-conditions.ts";
import { createBrowserEngines, type BrowserEnginesOptions } from "./browser-engines.ts";
import { createDeviceHost } from "./device-host.ts";
import type { RunEndpoint } from "./run-messages.ts";
import type { OpenDevice } from "./device-host.ts";
import { holdBlobs } from "./held-blobs.ts";
import { createListen } from "./listen.ts";
import { shareForgetting } from "./share-forgetting.ts";
import { shareTouches } from "./share-touches.ts";
import { electLeader, shareReleases } from "./tab-leader.ts";
import { trainInTurn } from "./train-in-turn.ts";

const images = lazyPart("image reader", async () =>
  (await import("../images/canvas-reader.ts")).createCanvasReader(),
);

/** @param tfjs - how models of TensorFlow.js run, where the app brings it along */
export function serveDevice(tfjs?: BrowserEnginesOptions["tfjs"]): void {
  const open: OpenDevice = async (start, token) => {
    await holdForLife(start.lifeLock);
    const log = start.logToConsole ? (await import("./console-log.ts")).consoleLogger : silentLogger;
    const env = { ...systemEnv(), log };
    const leader = electLeader(navigator.locks, start.leaderLock);
    const engines = createBrowserEngines({ ...politeThreads(start.engine), clock: env.clock, tfjs });
    const downloads = lazyPart("downloads of tabs", async () =>
      (await import("./tab-downloads.ts")).tabDownloads({
        locks: navigator.locks,
        scope: start.database,
        clock: env.clock,
      }),
    );
    const device = createDevice(start.config, {
      env,
      store: await openBrowserStore({ name: start.database, clock: env.clock, log: env.log }),
      engines: trainInTurn(engines, navigator.locks, `${start.database} training`),
      images: images.load,
      listen: createListen(),
      conditions: browserConditions(
        navigator as ConditionsNavigator,
        start.engine,
        tfjs && (start.engine.tfjsSettings?.wasmPaths === undefined ? "tfjs-cpu" : "tfjs-wasm"),
      ),
      openSecAggCrypto: async () => (await import("@tributary/secagg")).openSecAggCrypto(),
      openSocket: async () => {
        const [{ webSocketTransport }, { connectAsLeader }] = await Promise.all([
          import("../transport/web-socket.ts"),
          import("./tab-training.ts"),
        ]);
        const open = webSocketTransport((url, subprotocol) => new WebSocket(url, subprotocol));
        return connectAsLeader(open, leader);
      },
      fetch: (input, init) => fetch(input, init),
      exclusive: (work, signal) =>
        navigator.locks.request(`${start.database} metadata`, { signal }, () => work()),
      holds: holdBlobs(navigator.locks, start.database),
      downloads: {
        // Without its script this tab is on its own.
        inTurn: async (digest, options, work) =>
          await downloads.load().then(
            (part) => part.inTurn(digest, options, work),
            () => work(false, () => undefined),
          ),
      },
      ...(start.enrols ? { token } : {}),
    });
    const reconnect = (): void => void device.reconnect();
    void leader.turn.then(reconnect);
    addEventListener("online", reconnect);
    const shared = shareTouches(
      shareReleases(device, start.database),
      `${start.database} touched`,
      env.clock,
    );
    return {
      device: shareForgetting(
        start.enrols ? (await import("./tab-training.ts")).trainAsLeader(shared, leader, env.clock) : shared,
        `${start.database} forgotten`,
      ),
      heapBytes: () => engines.heapBytes(),
    };
  };
  expose(createDeviceHost(open, globalThis as unknown as RunEndpoint));
}

/** The page keeps a core. */
function politeThreads<Settings extends { readonly threads?: number }>(engine: Settings): Settings {
  const most = Math.max(1, navigator.hardwareConcurrency - 1);
  return engine.threads === undefined ? engine : { ...engine, threads: Math.min(engine.threads, most) };
}

/** Taken now and never given back: the page waits for it, and gets it when this worker is gone. */
function holdForLife(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    navigator.locks
      .request(name, () => {
        resolve();
        return new Promise(() => {});
      })
      .catch(reject);
  });
}
