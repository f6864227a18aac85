/** A browser's engines: WASM, and WebGPU for the models whose results were checked and that it runs faster. */
import type { Clock } from "@tributary/core";
import type { Engine } from "@tributary/engine";
import { chooseEngine } from "@tributary/engine/check";
import type { EngineChoice, ModelForm } from "@tributary/engine/check";
import { openOrtWeb } from "@tributary/engine/ort-web";
import type { AdapterVerdict, OrtWeb, OrtWebOptions } from "@tributary/engine/ort-web";
import type { CheckedRequest, EngineProvider } from "../engine-provider.ts";
import { createSessionCache } from "../session-cache.ts";
import type { LoadedSession } from "../session-cache.ts";

export interface BrowserEnginesOptions extends OrtWebOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** What is kept per model version. It holds as long as the browser offers the same adapter. */
interface RememberedChoice extends EngineChoice {
  readonly adapter: string;
}

/** Opens the engine with the first session, so that a page that never runs a model loads no WASM. */
export function createBrowserEngines(options: BrowserEnginesOptions): EngineProvider {
  const { clock, ...web } = options;
  const cache = createSessionCache({ maxIdle: 1 });
  let opening: Promise<OrtWeb> | undefined;
  const open = (): Promise<OrtWeb> => {
    opening ??= openOrtWeb(web).catch((error: unknown) => {
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
    const engines = await open();
    const adapter = describeAdapter(engines.adapter);
    if (engines.webgpu === undefined || webgpu === undefined) {
      const note =
        engines.webgpu === undefined ? adapterNote(engines.adapter) : "no form of this graph runs on WebGPU";
      return { session: await engines.wasm.load(await request.model()), note };
    }
    const remembered = asRemembered(request.remembered);
    if (remembered !== undefined && remembered.adapter === adapter) {
      const isGpu = remembered.engine === "ort-webgpu";
      const engine: Engine = isGpu ? engines.webgpu : engines.wasm;
      const load = (isGpu ? webgpu.model : undefined) ?? request.model;
      try {
        return { session: await engine.load(await load()), note: choiceNote(remembered) };
      } catch {
        // A driver may have changed without a sign of it: check anew.
      }
    }
    const { choice, session } = await chooseEngine({
      reference: engines.wasm,
      candidate: engines.webgpu,
      model: await request.model(),
      feeds: request.sample(),
      ...(isForm(webgpu) ? { candidateForm: webgpu } : {}),
      clock,
    });
    await request.remember?.({ ...choice, adapter } satisfies RememberedChoice);
    return { session, note: choiceNote(choice) };
  };

  return {
    openInference: (request) =>
      cache.acquire(`inference:${request.key}`, () => loadChecked(request, {}), request.signal),
    openTraining: (request) =>
      cache.acquire(`training:${request.key}`, () => loadChecked(request, request.webgpu), request.signal),
    async close() {
      await cache.close();
      await (await opening?.catch(() => undefined))?.close();
    },
  };
}

/** Inference runs the same bytes on either engine. */
function isForm(webgpu: Partial<ModelForm>): webgpu is ModelForm {
  return webgpu.model !== undefined;
}

function describeAdapter(adapter: AdapterVerdict): string {
  return "description" in adapter ? `${adapter.kind}: ${adapter.description}` : adapter.kind;
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

function choiceNote(choice: EngineChoice): string {
  const { reason, relativeError, medianMs } = choice;
  switch (reason) {
    case "faster": {
      const times = Object.entries(medianMs).map(([name, ms]) => `${name} ${ms.toFixed(2)} ms`);
      return `measured: ${times.join(", ")}`;
    }
    case "only-engine":
      return "the only engine here";
    case "disagrees":
      return `WebGPU computed something else than WASM (relative error ${relativeError?.toPrecision(2) ?? "unknown"})`;
    case "failed":
      return `WebGPU failed: ${choice.message ?? "unknown"}`;
    default: {
      const never: never = reason;
      return never;
    }
  }
}

/** Stored values are not trusted to have our shape: an older version may have written them. */
function asRemembered(value: unknown): RememberedChoice | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { engine, reason, adapter, medianMs } = value as Partial<RememberedChoice>;
  const complete =
    (engine === "ort-wasm" || engine === "ort-webgpu") &&
    (reason === "faster" || reason === "disagrees" || reason === "failed") &&
    typeof adapter === "string" &&
    typeof medianMs === "object";
  return complete ? (value as RememberedChoice) : undefined;
}
