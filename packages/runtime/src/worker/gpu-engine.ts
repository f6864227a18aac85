/** Models on WebGPU, once it was checked and measured against WASM, and as long as the GPU is there. */
import type { Clock } from "@tributary/core";
import type { Engine, Session } from "@tributary/engine";
import { chooseEngine, type ModelForm } from "@tributary/engine/check";
import type { CheckedRequest, OpenInferenceRequest, OpenTrainingRequest } from "../engine-provider.ts";
import type { LoadedSession } from "../session-cache.ts";
import { createGpuSessions } from "./gpu-sessions.ts";
import { asRemembered, choiceNote, type RememberedChoice } from "./remembered-choice.ts";

export interface GpuEngineOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** WebGPU was asked for: it runs what it computes right, however long that takes. */
  readonly insist: boolean;
  /** Forgets a session whose GPU is gone. */
  readonly drop: (session: Session) => Promise<void>;
}

/** The engines of a browser with a GPU. */
export interface BothEngines {
  readonly wasm: Engine;
  readonly webgpu: Engine;
  /** Of browser, adapter and engine: a choice holds as long as they are the same. */
  readonly fingerprint: string;
}

export interface GpuEngine {
  /** How often the GPU was lost. */
  readonly losses: number;
  openInference(engines: BothEngines, request: OpenInferenceRequest): Promise<LoadedSession>;
  /** A training that loses its GPU fails, because its feeds are those of the form that runs there; the next one begins anew. */
  openTraining(engines: BothEngines, request: OpenTrainingRequest): Promise<LoadedSession>;
}

export function createGpuEngine({ clock, insist, drop }: GpuEngineOptions): GpuEngine {
  const gpu = createGpuSessions(clock);

  const loadChecked = async (
    { wasm, webgpu, fingerprint }: BothEngines,
    request: CheckedRequest,
    form: Partial<ModelForm>,
  ): Promise<LoadedSession> => {
    if (gpu.unstable) {
      const note = `the browser took the GPU away ${gpu.losses} times`;
      return { session: await wasm.load(await request.model()), note };
    }
    const remembered = asRemembered(request.remembered, insist);
    if (remembered !== undefined && remembered.fingerprint === fingerprint) {
      const isGpu = remembered.engine === "ort-webgpu";
      const load = (isGpu ? form.model : undefined) ?? request.model;
      try {
        const session = await (isGpu ? webgpu : wasm).load(await load());
        return { session, note: choiceNote(remembered), check: { choice: remembered, remembered: true } };
      } catch {
        // A driver may have changed without a sign of it: check anew.
      }
    }
    const { choice, session } = await chooseEngine({
      reference: wasm,
      candidate: webgpu,
      model: await request.model(),
      feeds: await request.sample(),
      ...(isForm(form) ? { candidateForm: form } : {}),
      clock,
      insist,
    });
    await request.remember?.({ ...choice, fingerprint } satisfies RememberedChoice);
    return { session, note: choiceNote(choice), check: { choice, remembered: false } };
  };

  return {
    get losses() {
      return gpu.losses;
    },
    async openInference(engines, request) {
      const keeping = { ...engines, webgpu: keepingOutputs(engines.webgpu) };
      if (request.on !== undefined) {
        // Where the GPU goes for good, WASM runs the same form.
        const open = async (): Promise<LoadedSession> => ({
          session: await (gpu.unstable ? keeping.wasm : keeping.webgpu).load(await request.model()),
        });
        return gpu.survive(await open(), open, request.onMoved);
      }
      const loaded = await loadChecked(keeping, request, {});
      if (loaded.session.engine !== "ort-webgpu") return loaded;
      // What was measured on the lost GPU says nothing of the one that comes next.
      const { remembered: _, ...afresh } = request;
      return gpu.survive(loaded, () => loadChecked(keeping, afresh, {}), request.onMoved);
    },
    async openTraining(engines, request) {
      const loaded = await loadChecked(engines, request, request.webgpu ?? {});
      if (loaded.session.engine !== "ort-webgpu") return loaded;
      const session = gpu.endWith(loaded.session, () => drop(session));
      return { ...loaded, session };
    },
  };
}

/** What a model answers may be what the next one is asked: it stays on the GPU where that is so. */
function keepingOutputs(engine: Engine): Engine {
  return { ...engine, load: (model, options) => engine.load(model, { ...options, keepsOutputs: true }) };
}

/** Inference runs the same bytes on either engine. */
function isForm(form: Partial<ModelForm>): form is ModelForm {
  return form.model !== undefined;
}
