/** A browser's engines: WASM, and WebGPU for the models whose results were checked and that it runs faster. */
import { failure, type Clock } from "@tributary/core";
import type { Engine, EngineName } from "@tributary/engine";
import type { ModelForm } from "@tributary/engine/check";
import { openOrtWeb } from "@tributary/engine/ort-web";
import type { AdapterVerdict, OrtWeb, OrtWebOptions } from "@tributary/engine/ort-web";
import type {
  CheckedRequest,
  EngineProvider,
  OpenInferenceRequest,
  OpenTrainingRequest,
} from "../engine-provider.ts";
import { createSessionCache } from "../session-cache.ts";
import type { LoadedSession } from "../session-cache.ts";
import { describeAdapter, engineFingerprint, type FingerprintNavigator } from "./engine-fingerprint.ts";
import { memoryBudget, type DeviceNavigator } from "./recycling.ts";
import { asRemembered, choiceNote, type RememberedChoice } from "./remembered-choice.ts";
import { createGpuSessions, type GpuSessions } from "./gpu-sessions.ts";
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
  const insist = prefer === "webgpu";
  const cache = createSessionCache({ maxIdle: 1 });
  const gpu = createGpuSessions(clock);
  const budget = memoryBudget(navigator ?? {});
  let opening: Promise<Opened> | undefined;
  let opened: Opened | undefined;
  const open = (): Promise<Opened> => {
    opening ??= (async () => {
      const web = await openOrtWeb(settings);
      opened = { web, fingerprint: await engineFingerprint(navigator, web) };
      return opened;
    })().catch((error: unknown) => {
      opening = undefined; // a lost connection while the WASM file was on its way
      throw error;
    });
    return opening;
  };

  /** `webgpu` is the form of the model that a GPU runs; undefined: there is none. */
  const loadChecked = async (
    request: CheckedRequest,
    webgpu: Partial<ModelForm> | undefined,
  ): Promise<LoadedSession> => {
    const { web, fingerprint } = await open();
    if (web.webgpu === undefined || webgpu === undefined || gpu.unstable) {
      return { session: await web.wasm.load(await request.model()), note: onlyWasmNote(web, gpu) };
    }
    const remembered = asRemembered(request.remembered, insist);
    if (remembered !== undefined && remembered.fingerprint === fingerprint) {
      const isGpu = remembered.engine === "ort-webgpu";
      const engine: Engine = isGpu ? web.webgpu : web.wasm;
      const load = (isGpu ? webgpu.model : undefined) ?? request.model;
      try {
        const session = await engine.load(await load());
        return { session, note: choiceNote(remembered), check: { choice: remembered, remembered: true } };
      } catch {
        // A driver may have changed without a sign of it: check anew.
      }
    }
    // Only a device with a GPU loads it.
    const { chooseEngine } = await import("@tributary/engine/check");
    const { choice, session } = await chooseEngine({
      reference: web.wasm,
      candidate: web.webgpu,
      model: await request.model(),
      feeds: await request.sample(),
      ...(isForm(webgpu) ? { candidateForm: webgpu } : {}),
      clock,
      insist,
    });
    await request.remember?.({ ...choice, fingerprint } satisfies RememberedChoice);
    return { session, note: choiceNote(choice), check: { choice, remembered: false } };
  };

  const loadInference = async (request: OpenInferenceRequest): Promise<LoadedSession> => {
    if (request.format === "tfjs") return await requireTfjs(tfjs).load(request);
    const loaded = await loadChecked(request, {});
    if (loaded.session.engine !== "ort-webgpu") return loaded;
    // What was measured on the lost GPU says nothing of the one that comes next.
    const { remembered: _, ...afresh } = request;
    return gpu.survive(loaded, () => loadChecked(afresh, {}), request.onMoved);
  };

  /** A training that loses its GPU fails, because its feeds are those of the form that runs there; the next one begins anew. */
  const loadTraining = async (request: OpenTrainingRequest): Promise<LoadedSession> => {
    const loaded = await loadChecked(request, request.webgpu);
    if (loaded.session.engine !== "ort-webgpu") return loaded;
    const session = gpu.endWith(loaded.session, () => cache.drop(session));
    return { ...loaded, session };
  };

  return {
    openInference: (request) =>
      cache.acquire(`inference:${request.key}`, () => loadInference(request), request.signal),
    openTraining: (request) =>
      cache.acquire(`training:${request.key}`, () => loadTraining(request), request.signal),
    heapBytes: () => opened?.web.heapBytes,
    hasRoomFor: (modelBytes) =>
      (opened?.web.heapBytes ?? 0) + HEAP_PER_MODEL_BYTE * modelBytes <= budget.maxHeapBytes,
    diagnose: () => ({
      available: [...ortEngines(opened?.web), ...(tfjs?.available ?? [])],
      fingerprint: opened?.fingerprint ?? "no model was opened yet",
      ...(opened === undefined
        ? {}
        : { adapter: describeAdapter(opened.web.adapter), threads: opened.web.threads }),
      crossOriginIsolated: globalThis.crossOriginIsolated === true,
      files: wasmFiles(),
      ...(opened?.web.heapBytes === undefined ? {} : { heapBytes: opened.web.heapBytes }),
      gpuLosses: gpu.losses,
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

/** Inference runs the same bytes on either engine. */
function isForm(webgpu: Partial<ModelForm>): webgpu is ModelForm {
  return webgpu.model !== undefined;
}

function onlyWasmNote({ webgpu, adapter }: OrtWeb, gpu: GpuSessions): string {
  if (webgpu === undefined) return adapterNote(adapter);
  if (gpu.unstable) return `the browser took the GPU away ${gpu.losses} times`;
  return "no form of this graph runs on WebGPU";
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
