/** The device runtime in a browser: a thin page, everything heavy in one worker. */
import { asPopulationName, failure, silentLogger, systemClock } from "@tributary/core";
import { MAX_SOFTWARE_BYTES } from "@tributary/protocol";
import { healthInterval } from "./health/health-setting.ts";
import { releaseSource } from "./release-source.ts";
import { createRuntimeOf } from "./runtime-of.ts";
import type { Runtime, RuntimeOptions, Trust } from "./runtime.ts";
import { storageLimit } from "./store/storage-limit.ts";
import { trustLimits } from "./trust-limits.ts";
import { RUNTIME_VERSION } from "./version.ts";
import { withBattery, type BatteryNavigator } from "./worker/battery.ts";
import { withIdleness } from "./worker/idleness.ts";
import { withPersistence } from "./worker/persistence.ts";
import { memoryBudget, type MemoryBudget } from "./worker/recycling.ts";
import { createRemoteDevice } from "./worker/remote-device.ts";
import type { TfjsWorker } from "./worker/tfjs-engines.ts";

export type {
  ModelHandle,
  ModelOptions,
  ParticipateOptions,
  Participation,
  Runtime,
  RuntimeOptions,
  TokenRequest,
  Trust,
} from "./runtime.ts";

export type { MemoryBudget } from "./worker/recycling.ts";

export interface BrowserRuntimeOptions extends RuntimeOptions {
  /**
   * When the worker is replaced between two calls because it has used much.
   *
   * @defaultValue 1 GiB; on iPhones and iPads 256 MiB, and after 200 runs
   */
  readonly recycle?: Partial<MemoryBudget>;
  readonly engine?: {
    /**
     * `auto`: WebGPU where there is a hardware adapter, its results agree with WASM's and it is faster; else WASM. `webgpu`: any
     * adapter, for every model whose results agree, also where WASM is faster: the processor stays free.
     * @defaultValue "auto"
     */
    readonly prefer?: "auto" | "wasm" | "webgpu";
    /**
     * WASM threads, at most one less than the device has cores: the page keeps one. More than 1 needs a cross-origin isolated page, and
     * pays for larger models.
     *
     * @defaultValue 1
     */
    readonly threads?: number;
    /** Where the .wasm files lie, when not beside the bundle. */
    readonly wasmPaths?: string | { readonly wasm?: string; readonly mjs?: string };
    /** Whether a software rasteriser counts as a WebGPU adapter. @defaultValue "skip" */
    readonly softwareAdapter?: "skip" | "use";
  };
  /** Runs and trains models of TensorFlow.js too: `tfjs()` of `@tributary/runtime/tfjs`. */
  readonly tfjs?: TfjsWorker;
}

/**
 * Starts the runtime. The page keeps a thin proxy; models, storage, training and the connection live in a dedicated
 * worker, which is started again when the browser ends it.
 *
 * @throws TributaryError `runtime/insecure-context` on a page that is not https or localhost.
 */
export async function createRuntime(options: BrowserRuntimeOptions): Promise<Runtime> {
  requireSecureContext();
  const {
    log = silentLogger,
    software = `tributary-runtime ${RUNTIME_VERSION}`,
    tags = [],
    engine = {},
  } = options;
  const population = asPopulationName(options.population ?? "default");
  if (new TextEncoder().encode(software).length > MAX_SOFTWARE_BYTES) {
    throw new RangeError(
      `createRuntime: software has at most ${MAX_SOFTWARE_BYTES} bytes, got "${software}"`,
    );
  }
  const source = releaseSource(options, {
    base: globalThis.location?.href,
    folders: ["http:", "https:"],
  });
  const limits = trustLimits(options.trust);
  const healthIntervalMs = healthInterval(options.deviceHealth);
  const maxStorageBytes = storageLimit(options.maxStorageBytes);
  const trustedRoot = await loadRoot(options.trust);
  const { token } = options;
  const scope = `${source.coordinator ?? source.releases} ${population}`;
  const device = createRemoteDevice({
    spawn:
      options.tfjs?.spawn ??
      (() => new Worker(new URL("./worker/device-worker.js", import.meta.url), { type: "module" })),
    start: {
      config: {
        source,
        population,
        software,
        limits,
        tags,
        maxStorageBytes,
        healthIntervalMs,
        ...(trustedRoot === undefined ? {} : { trustedRoot }),
      },
      enrols: token !== undefined,
      database: `tributary ${scope}`,
      lifeLock: `tributary-life ${crypto.randomUUID()}`,
      leaderLock: `tributary-train ${scope}`,
      engine: { ...engine, ...(options.tfjs === undefined ? {} : { tfjsSettings: options.tfjs.settings }) },
      logToConsole: log !== silentLogger,
    },
    token: async (device) => (typeof token === "function" ? token(device) : (token ?? "")),
    locks: navigator.locks,
    clock: systemClock,
    log,
    budget: { ...memoryBudget(navigator), ...options.recycle },
  });
  const idleAware = withIdleness(device, systemClock);
  const aware = withBattery(idleAware, navigator as BatteryNavigator);
  return createRuntimeOf(withPersistence(aware, navigator.storage, log), options.tokenizers);
}

function requireSecureContext(): void {
  if (globalThis.isSecureContext && globalThis.crypto?.subtle !== undefined && navigator.locks !== undefined)
    return;
  throw failure(
    "runtime/insecure-context",
    `runtime: ${globalThis.location?.origin ?? "this page"} is not a secure context, so the browser offers no keys, ` +
      "storage locks or WebGPU; serve the page over https, or open it as http://localhost or http://127.0.0.1",
  );
}

/** The pinned root's bytes, fetched where the app ships it as a file. */
async function loadRoot(trust: Trust): Promise<Uint8Array | undefined> {
  if (trust === "first-use") return undefined;
  if (trust.root instanceof Uint8Array) return trust.root;
  const url = new URL(trust.root, globalThis.location?.href);
  const response = await fetch(url);
  if (!response.ok) {
    throw failure("runtime/no-trust", `runtime: the trust root ${url.href} answered ${response.status}`);
  }
  return new Uint8Array(await response.arrayBuffer());
}
