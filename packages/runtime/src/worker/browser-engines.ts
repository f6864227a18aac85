/** A browser's engines: WASM, and WebGPU for the models whose results were checked and that it runs faster. */
import { failure, type Clock } from "@tributary/core";
import type { EngineName } from "@tributary/engine";
import type { AdapterVerdict, EngineDownload, OrtWeb, OrtWebOptions } from "@tributary/engine/ort-web";
import type {
  CheckedRequest,
  EngineProvider,
  OpenInferenceRequest,
  OpenTrainingRequest,
} from "../engine-provider.ts";
import { lazyPart } from "../lazy-part.ts";
import { createSessionCache } from "../session-cache.ts";
import type { LoadedSession } from "../session-cache.ts";
import { describeAdapter, engineFingerprint, type FingerprintNavigator } from "./engine-fingerprint.ts";
import { memoryBudget, type DeviceNavigator } from "./recycling.ts";
import type { TfjsEngines, TfjsEnginesOptions, TfjsSettings } from "./tfjs-engines.ts";

export interface BrowserEnginesOptions extends OrtWebOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** How models of TensorFlow.js run, where the app brings it along. */
  readonly tfjs?: ((options: Omit<TfjsEnginesOptions, "load">) => TfjsEngines) | undefined;
  readonly tfjsSettings?: TfjsSettings | undefined;
  /** @defaultValue `navigator` */
  readonly navigator?: FingerprintNavigator & DeviceNavigator;
}

/** onnxruntime holds a model's bytes and its weights, packed for its kernels, while it loads. */
const HEAP_PER_MODEL_BYTE = 2;

interface Opened {
  readonly web: OrtWeb;
  readonly fingerprint: string;
}

/** Opens the engine with the first session, so that a page that never runs a model loads no WASM. */
export function createBrowserEngines(options: BrowserEnginesOptions): EngineProvider {
  const {
    clock,
    tfjs: createTfjs,
    tfjsSettings,
    navigator = globalThis.navigator as FingerprintNavigator & DeviceNavigator,
    ...settings
  } = options;
  const { prefer = "auto", softwareAdapter = "skip" } = settings;
  const tfjs = createTfjs?.({ ...tfjsSettings, prefer, softwareAdapter, clock, navigator });
  const cache = createSessionCache({ maxIdle: 1 });
  const budget = memoryBudget(navigator ?? {});
  let opening: Promise<Opened> | undefined;
  let opened: Opened | undefined;
  let onDownload: ((download: EngineDownload) => void) | undefined;
  /** An app of TensorFlow.js has no use for it. */
  const adapter = lazyPart("engine", () => import("@tributary/engine/ort-web"));
  const open = (): Promise<Opened> => {
    opening ??= (async () => {
      const { openOrtWeb } = await adapter.load();
      const web = await openOrtWeb({ ...settings, onProgress: (download) => onDownload?.(download) });
      opened = { web, fingerprint: await engineFingerprint(navigator, web) };
      return opened;
    })().catch((error: unknown) => {
      opening = undefined; // a lost connection while the WASM file was on its way
      throw error;
    });
    return opening;
  };

  /** Only a device with a GPU loads it. */
  const gpu = lazyPart("GPU engine", async () => {
    const { createGpuEngine } = await import("./gpu-engine.ts");
    return createGpuEngine({ clock, insist: prefer === "webgpu", drop: (session) => cache.drop(session) });
  });

  const onlyWasm = async (
    { wasm }: OrtWeb,
    request: CheckedRequest,
    note: string,
  ): Promise<LoadedSession> => ({
    session: await wasm.load(await request.model()),
    note,
  });

  const loadInference = async (request: OpenInferenceRequest): Promise<LoadedSession> => {
    if (request.format === "tfjs") return await requireTfjs(tfjs).load(request);
    const { web, fingerprint } = await open();
    const { webgpu } = web;
    if (webgpu === undefined || request.on === "ort-wasm")
      return await onlyWasm(web, request, adapterNote(web.adapter));
    return await (await gpu.load()).openInference({ ...web, webgpu, fingerprint }, request);
  };

  const loadTraining = async (request: OpenTrainingRequest): Promise<LoadedSession> => {
    if (request.format === "tfjs") return await requireTfjs(tfjs).load(request);
    const { web, fingerprint } = await open();
    const { webgpu } = web;
    if (webgpu === undefined) return await onlyWasm(web, request, adapterNote(web.adapter));
    if (request.webgpu === undefined) {
      return await onlyWasm(web, request, "no form of this graph runs on WebGPU");
    }
    return await (await gpu.load()).openTraining({ ...web, webgpu, fingerprint }, request);
  };

  return {
    openInference: (request) =>
      cache.acquire(
        `inference:${request.on ?? ""}:${request.key}`,
        () => loadInference(request),
        request.signal,
      ),
    openTraining: (request) =>
      cache.acquire(`training:${request.key}`, () => loadTraining(request), request.signal),
    openPart: (request) =>
      cache.acquire(
        `part:${request.key}`,
        async () => ({ session: await (await open()).web.wasm.load(await request.model()) }),
        request.signal,
      ),
    heapBytes: () => opened?.web.heapBytes,
    onDownload(listener) {
      onDownload = listener;
    },
    hasRoomFor: (modelBytes) =>
      (opened?.web.heapBytes ?? 0) + HEAP_PER_MODEL_BYTE * modelBytes <= budget.maxHeapBytes,
    diagnose: () => ({
      available: [...ortEngines(opened?.web), ...(tfjs?.available ?? [])],
      fingerprint: opened?.fingerprint ?? "no model was opened yet",
      ...(opened === undefined
        ? {}
        : {
            adapter: describeAdapter(opened.web.adapter),
            threads: opened.web.threads,
            features: opened.web.features,
          }),
      crossOriginIsolated: globalThis.crossOriginIsolated === true,
      files: wasmFiles(),
      ...(opened?.web.heapBytes === undefined ? {} : { heapBytes: opened.web.heapBytes }),
      gpuLosses: gpu.loaded?.losses ?? 0,
    }),
    async close() {
      await cache.close();
      await tfjs?.close();
      await (await opening?.catch(() => undefined))?.web.close();
    },
  };
}

function ortEngines(web: OrtWeb | undefined): readonly EngineName[] {
  if (web === undefined) return [];
  return web.webgpu === undefined ? ["ort-wasm"] : ["ort-wasm", "ort-webgpu"];
}

function requireTfjs(tfjs: TfjsEngines | undefined): TfjsEngines {
  if (tfjs !== undefined) return tfjs;
  throw failure(
    "engine/unavailable",
    'runtime: this is a model of TensorFlow.js; import { tfjs } from "@tributary/runtime/tfjs" and pass `tfjs: tfjs()` to createRuntime',
  );
}

/** What this realm has fetched of WASM, as the browser recorded it. */
function wasmFiles(): string[] {
  const names = performance.getEntriesByType("resource").map(({ name }) => name);
  return [...new Set(names)].filter((name) => new URL(name).pathname.endsWith(".wasm"));
}

function adapterNote(adapter: AdapterVerdict): string {
  switch (adapter.kind) {
    case "none":
      return "this browser offers no WebGPU adapter";
    case "not-asked":
      return "WebGPU was not asked for";
    case "software":
      return `the WebGPU adapter is software (${adapter.description}), which is slower than WASM`;
    case "hardware":
      return "WebGPU is available and was not asked for";
    default: {
      const never: never = adapter;
      return never;
    }
  }
}
