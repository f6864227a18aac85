/** onnxruntime-web behind the Engine seam: WASM everywhere, WebGPU where there is an adapter. */
import { failure, throwIfAborted, type TributaryError } from "@tributary/core";
import type { InferenceSession } from "onnxruntime-common";
import type { Engine, EngineName, Session } from "./engine.ts";
import { withCpuBuild } from "./cpu-build.ts";
import { watchEngineDownload, type EngineDownload } from "./engine-download.ts";
import { followGpuDevice } from "./gpu-device.ts";
import { createOrtSession, text } from "./ort-session.ts";
import { chooseEntry, importEntry } from "./ort-web-entry.ts";
import type { AdapterVerdict, OrtModule, OrtWebEntry } from "./ort-web-entry.ts";
import { createRunQueue } from "./run-queue.ts";
import { nestedConfig } from "./session-config.ts";
import type { RunQueue } from "./run-queue.ts";
import { seeWasmMemory, wasmMemoryBytes } from "./wasm-memory.ts";

export type { EngineDownload } from "./engine-download.ts";
export { chooseEntry, type AdapterVerdict, type OrtWebEntry } from "./ort-web-entry.ts";

export interface OrtWebOptions {
  /**
   * `auto`: WebGPU beside WASM where there is a hardware adapter; `wasm`: never asks for one; `webgpu`: insists.
   * @defaultValue "auto"
   */
  readonly prefer?: "auto" | "wasm" | "webgpu";
  /**
   * WASM threads, 1 or more; more than 1 only counts in a cross-origin isolated realm. Frozen with the first session.
   * Small models are slower with two.
   * @defaultValue 1
   */
  readonly threads?: number;
  /** Where the .wasm file lies, when not beside the bundle: a prefix URL, or the URL of each file. */
  readonly wasmPaths?: string | { readonly wasm?: string; readonly mjs?: string };
  /**
   * Whether a software rasteriser (SwiftShader, llvmpipe) counts as an adapter for `auto`. It computes correctly, some
   * hundred times slower than WASM.
   * @defaultValue "skip"
   */
  readonly softwareAdapter?: "skip" | "use";
  /** Told what has arrived of the .wasm file, some ten times a second. */
  readonly onProgress?: ((download: EngineDownload) => void) | undefined;
}

const DEFAULTS = { prefer: "auto", threads: 1, softwareAdapter: "skip" } as const;

/** The engines of one realm (a worker, or Node): one bundle, one queue, one or two execution providers. */
export interface OrtWeb {
  readonly entry: OrtWebEntry;
  readonly adapter: AdapterVerdict;
  /** What the adapter has of what forms of models ask for; none where WebGPU is not used. */
  readonly features: readonly string[];
  /** Of onnxruntime-web. */
  readonly version: string;
  /** As they are, not as they were asked for. */
  readonly threads: number;
  /** Memory it has reserved, in bytes; undefined before the first session. It never shrinks. */
  readonly heapBytes: number | undefined;
  readonly wasm: Engine;
  /** Absent without a usable adapter. */
  readonly webgpu: Engine | undefined;
  /** Closes both. Idempotent. */
  close(): Promise<void>;
}

/** onnxruntime-web's settings are global to a realm, so the first caller decides them. */
let opened: { readonly entry: OrtWebEntry; readonly threads: number } | undefined;

/**
 * Loads the one bundle this realm needs and returns its engines.
 *
 * @throws TributaryError `engine/unavailable` (`prefer: "webgpu"` without one), `engine/realm-taken` when this realm
 *   already runs with other settings.
 */
export async function openOrtWeb(options: OrtWebOptions = {}): Promise<OrtWeb> {
  const { prefer, threads, softwareAdapter, wasmPaths, onProgress } = { ...DEFAULTS, ...options };
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > 64) {
    throw new RangeError(`openOrtWeb: threads must be an integer in [1, 64], got ${threads}`);
  }
  const { entry, adapter, features } = await chooseEntry(prefer, softwareAdapter);
  if (opened !== undefined && (opened.entry !== entry || opened.threads !== threads)) {
    throw failure(
      "engine/realm-taken",
      `engine: this realm already runs onnxruntime-web/${opened.entry} with ${opened.threads} thread(s), asked for ` +
        `/${entry} with ${threads}; open one engine per worker and share it`,
    );
  }
  const ort = await importEntry(entry);
  if (opened === undefined) {
    opened = { entry, threads };
    configure(ort, threads, wasmPaths);
  }
  const queue = createRunQueue();
  const build: Build = { entry, ort, queue, onProgress };
  const openCpuBuild = async (): Promise<Engine> => {
    const cpu: Build = { entry: "wasm", ort: await importEntry("wasm"), queue, onProgress };
    // The URL of one file is that of the other build.
    configure(cpu.ort, threads, typeof wasmPaths === "string" ? wasmPaths : undefined);
    return createEngine(cpu, "ort-wasm");
  };
  const own = createEngine(build, "ort-wasm");
  const wasm = entry === "wasm" ? own : withCpuBuild(own, openCpuBuild);
  const webgpu = entry === "wasm" ? undefined : createEngine(build, "ort-webgpu");
  return {
    entry,
    adapter,
    features,
    version: ort.env.versions.web ?? ort.env.versions.common,
    threads: ort.env.wasm.numThreads ?? 1,
    get heapBytes() {
      return wasmMemoryBytes();
    },
    wasm,
    webgpu,
    async close() {
      await Promise.all([wasm.close(), webgpu?.close()]);
    },
  };
}

/**
 * One engine: WebGPU for `prefer: "webgpu"`, and for `auto` with a hardware adapter; else WASM. Callers that want the
 * check of both (they should) use {@link openOrtWeb} with `chooseEngine`.
 */
export async function createOrtWebEngine(options: OrtWebOptions = {}): Promise<Engine> {
  const web = await openOrtWeb(options);
  const engine = web.webgpu ?? web.wasm;
  return { name: engine.name, load: (model, how) => engine.load(model, how), close: () => web.close() };
}

function configure(ort: OrtModule, threads: number, wasmPaths: OrtWebOptions["wasmPaths"]): void {
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false;
  ort.env.wasm.numThreads = isolated ? threads : 1;
  ort.env.logLevel = "error";
  if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
}

/** A build of onnxruntime-web in this realm; all run one after the other. */
interface Build {
  readonly entry: OrtWebEntry;
  readonly ort: OrtModule;
  readonly queue: RunQueue;
  readonly onProgress: OrtWebOptions["onProgress"];
}

function createEngine({ entry, ort, queue, onProgress }: Build, name: EngineName): Engine {
  const sessions = new Set<Session>();
  const isGpu = name === "ort-webgpu";
  const gpu = isGpu ? followGpuDevice(ort) : undefined;
  let closed: Promise<void> | undefined;

  const explain = async (cause: unknown): Promise<TributaryError | undefined> => {
    const lost = await gpu?.lost();
    if (lost === undefined) return undefined;
    return failure(
      "engine/device-lost",
      `${name}: the browser took the GPU device away (${lost}); dispose every session of this engine, and load anew`,
      { cause },
    );
  };

  return {
    name,
    async load(model, { signal, optimization = "all", sessionConfig = {}, keepsOutputs = false } = {}) {
      throwIfAborted(signal);
      if (closed !== undefined) throw failure("engine/closed", `${name}: load() after close()`);
      let keeps = isGpu && keepsOutputs;
      // Creating a session folds constants and compiles, so it stands in the same line as the runs.
      const inner = await queue.run(async () => {
        try {
          const create = () =>
            ort.InferenceSession.create(model, {
              ...(keeps ? { preferredOutputLocation: "gpu-buffer" as const } : {}),
              executionProviders: [isGpu ? "webgpu" : "wasm"],
              graphOptimizationLevel: optimization === "all" ? "all" : "disabled",
              logSeverityLevel: 4, // errors come back as exceptions
              extra: nestedConfig(sessionConfig),
            });
          // The first session of a build fetches its file and makes its memory.
          let created = await seeWasmMemory(entry, () => watchEngineDownload(onProgress, create), create);
          if (keeps && !created.outputMetadata.every(isReadableOnGpu)) {
            keeps = false;
            await created.release();
            created = await create();
          }
          await gpu?.follow();
          return created;
        } catch (cause) {
          throw failure("engine/load-failed", `${name}: the model could not be loaded: ${text(cause)}`, {
            cause,
          });
        }
      });
      let session: Session;
      try {
        session = createOrtSession({
          engine: name,
          session: inner,
          Tensor: ort.Tensor,
          queue,
          keepsOutputs: keeps,
          ...(gpu === undefined ? {} : { explain }),
          onDisposed: () => sessions.delete(session),
        });
      } catch (error) {
        await queue.run(() => inner.release());
        throw error;
      }
      sessions.add(session);
      if (signal?.aborted === true || closed !== undefined) {
        await session[Symbol.asyncDispose]();
        throwIfAborted(signal);
        throw failure("engine/closed", `${name}: closed while a model was loading`);
      }
      return session;
    },
    close() {
      closed ??= Promise.all([...sessions].map((session) => session[Symbol.asyncDispose]())).then(
        () => undefined,
      );
      return closed;
    },
  };
}

/** Element types whose outputs onnxruntime-web leaves on a GPU. */
const ON_GPU: ReadonlySet<string> = new Set([
  "float32",
  "float16",
  "int32",
  "uint32",
  "int64",
  "uint8",
  "bool",
]);

function isReadableOnGpu(output: InferenceSession.ValueMetadata): boolean {
  return output.isTensor && ON_GPU.has(output.type);
}
