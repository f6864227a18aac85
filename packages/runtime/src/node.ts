import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { asPopulationName, failure, silentLogger, systemEnv, toFailure, type Logger } from "@tributary/core";
import type { Engine } from "@tributary/engine";
import { LIMITS } from "@tributary/protocol";
import { parseMetadata } from "@tributary/tuf";
import { createDevice } from "./create-device.ts";
import { healthInterval } from "./health/health-setting.ts";
import { openFileStore } from "./node/file-store.ts";
import { fetchWithFiles } from "./node/fetch-with-files.ts";
import { nodeConditions } from "./node/node-conditions.ts";
import { createNodeEngines } from "./node/node-engines.ts";
import { withPooledFeeds } from "./node/pooled-device.ts";
import { openWsSocket } from "./node/ws-socket.ts";
import { releaseSource } from "./release-source.ts";
import { createRuntimeOf } from "./runtime-of.ts";
import type { Runtime, RuntimeOptions, Trust } from "./runtime.ts";
import { storageLimit } from "./store/storage-limit.ts";
import { trustLimits } from "./trust-limits.ts";
import { RUNTIME_VERSION } from "./version.ts";

export interface NodeRuntimeOptions extends RuntimeOptions {
  /** Folder of this device's keys, models and examples. Created where it is missing; one device each. */
  readonly dataDir: string;
  /**
   * Engine to run on. Runtimes with the same engine share the sessions of equal models; whoever made the engine
   * closes it. @defaultValue onnxruntime-node with one thread, else WASM, owned by the runtime
   */
  readonly engine?: Engine;
  /** Runs and trains models of TensorFlow.js: `await createTfjsEngine()` of `@tributary/engine/tfjs`. Whoever made it closes it. */
  readonly tfjs?: Engine;
}

const DEFAULTS = {
  population: "default",
  software: `tributary-runtime ${RUNTIME_VERSION}`,
  maxStorageBytes: 2 * 1024 ** 3,
} as const;

/**
 * A device in this Node process.
 * @throws `runtime/locked` while another process uses the folder, `store/*`, `runtime/no-trust`, or RangeError for a bad option
 */
export async function createRuntime(options: NodeRuntimeOptions): Promise<Runtime> {
  const { dataDir, token, log = silentLogger, software = DEFAULTS.software, tags = [] } = options;
  const population = asPopulationName(options.population ?? DEFAULTS.population);
  const source = releaseSource(options, { folders: ["http:", "https:", "file:"] });
  if (new TextEncoder().encode(software).length > LIMITS.maxSoftwareBytes) {
    throw new RangeError(
      `createRuntime: software has at most ${LIMITS.maxSoftwareBytes} bytes, got "${software}"`,
    );
  }
  const limits = trustLimits(options.trust);
  const healthIntervalMs = healthInterval(options.deviceHealth);
  const maxStorageBytes = storageLimit(options.maxStorageBytes) ?? DEFAULTS.maxStorageBytes;
  const trustedRoot = await readRoot(options.trust);
  const store = await openFileStore({ dataDir });
  try {
    const engine = options.engine ?? (await ownEngine(log));
    const device = createDevice(
      {
        source,
        population,
        software,
        limits,
        tags,
        maxStorageBytes,
        healthIntervalMs,
        ...(trustedRoot === undefined ? {} : { trustedRoot }),
      },
      {
        env: systemEnv({ log }),
        store,
        engines: createNodeEngines(engine, options.engine === undefined, options.tfjs),
        conditions: nodeConditions(
          [engine, ...(options.tfjs === undefined ? [] : [options.tfjs])].map(({ name }) => name),
        ),
        openSecAggCrypto: async () => (await import("@tributary/secagg/node")).openNodeSecAggCrypto(),
        openSocket: async () => openWsSocket,
        fetch: fetchWithFiles,
        ...(token === undefined
          ? {}
          : { token: async (device) => (typeof token === "string" ? token : token(device)) }),
      },
    );
    return createRuntimeOf(withPooledFeeds(device), options.tokenizers);
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The native engine; WASM, about four times slower, where its binary does not exist for this platform. */
async function ownEngine(log: Logger): Promise<Engine> {
  try {
    const { createOrtNodeEngine } = await import("@tributary/engine/ort-node");
    return await createOrtNodeEngine();
  } catch (error) {
    log.warn("onnxruntime-node cannot be loaded; models run on WASM", { error: toFailure(error) });
  }
  try {
    const { createOrtWebEngine } = await import("@tributary/engine/ort-web");
    return await createOrtWebEngine({ prefer: "wasm", threads: 1 });
  } catch (cause) {
    throw failure(
      "engine/unavailable",
      "runtime: neither onnxruntime-node nor onnxruntime-web can be loaded; add one to the dependencies",
      { cause },
    );
  }
}

async function readRoot(trust: Trust): Promise<Uint8Array | undefined> {
  if (trust === "first-use") return undefined;
  const { root } = trust;
  const bytes = root instanceof Uint8Array ? root : await readRootFile(root);
  try {
    await parseMetadata("root", bytes);
  } catch (cause) {
    const where = root instanceof Uint8Array ? "that was given" : String(root);
    throw failure(
      "runtime/no-trust",
      `runtime: the trust root ${where} is none: ${toFailure(cause).message}`,
      {
        cause,
      },
    );
  }
  return bytes;
}

async function readRootFile(root: URL | string): Promise<Uint8Array> {
  try {
    const url = root instanceof URL ? root : undefined;
    if (url !== undefined && url.protocol !== "file:") {
      throw new RangeError(`only file: URLs are read here, got ${url.href}`);
    }
    return new Uint8Array(await readFile(url === undefined ? (root as string) : fileURLToPath(url)));
  } catch (cause) {
    throw failure(
      "runtime/no-trust",
      `runtime: the trust root ${String(root)} cannot be read: ${toFailure(cause).message}`,
      {
        cause,
      },
    );
  }
}
