/** Models of TensorFlow.js in a page: WASM or plain JavaScript, and WebGPU where it was checked and is faster. */
import type { Clock } from "@tributary/core";
import type { Engine } from "@tributary/engine";
import { chooseEngine } from "@tributary/engine/check";
import { chooseEntry, type AdapterVerdict } from "@tributary/engine/ort-web";
import type { CheckedRequest } from "../engine-provider.ts";
import type { LoadedSession } from "../session-cache.ts";
import { asRemembered, choiceNote, type RememberedChoice } from "./remembered-choice.ts";
import { tfjsFingerprint, type FingerprintNavigator } from "./engine-fingerprint.ts";

/** `@tributary/engine/tfjs`, which only a page that asked for it ships. */
export type TfjsModule = typeof import("@tributary/engine/tfjs");

export interface TfjsSettings {
  /**
   * Where the three .wasm files of @tensorflow/tfjs-backend-wasm are served: a prefix, or the URL of each by its name. Without it the
   * WASM backend is left out, and what WebGPU does not run, plain JavaScript does.
   */
  readonly wasmPaths?: string | Readonly<Record<string, string>>;
}

/** What a page gives its runtime: a worker with TensorFlow.js in it. */
export interface TfjsWorker {
  readonly settings: TfjsSettings;
  readonly spawn: () => Worker;
}

export interface TfjsEnginesOptions extends TfjsSettings {
  readonly load: () => Promise<TfjsModule>;
  readonly prefer: "auto" | "wasm" | "webgpu";
  readonly softwareAdapter: "skip" | "use";
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly navigator: FingerprintNavigator | undefined;
}

interface Opened {
  /** WASM, or plain JavaScript. */
  readonly reference: Engine;
  readonly webgpu: Engine | undefined;
  readonly adapter: AdapterVerdict;
  readonly fingerprint: string;
}

export interface TfjsEngines {
  /** Opened with the first model. */
  readonly available: readonly Engine["name"][];
  load(request: CheckedRequest): Promise<LoadedSession>;
  close(): Promise<void>;
}

export function createTfjsEngines(options: TfjsEnginesOptions): TfjsEngines {
  const { prefer, softwareAdapter, clock, navigator, wasmPaths } = options;
  const insist = prefer === "webgpu";
  let opening: Promise<Opened> | undefined;
  let opened: Opened | undefined;

  const start = async (): Promise<Opened> => {
    const { createTfjsEngine, TFJS_VERSION } = await options.load();
    const { entry, adapter } = await chooseEntry(prefer, softwareAdapter);
    const reference =
      wasmPaths === undefined
        ? await createTfjsEngine({ backend: "cpu" })
        : await createTfjsEngine({ backend: "wasm", wasmPaths });
    const webgpu = entry === "wasm" ? undefined : await createTfjsEngine({ backend: "webgpu" });
    const fingerprint = await tfjsFingerprint(navigator, { adapter, version: TFJS_VERSION, reference });
    opened = { reference, webgpu, adapter, fingerprint };
    return opened;
  };
  const open = (): Promise<Opened> => {
    opening ??= start().catch((error: unknown) => {
      opening = undefined; // a lost connection while a file was on its way
      throw error;
    });
    return opening;
  };

  return {
    get available() {
      if (opened === undefined) return [];
      const { reference, webgpu } = opened;
      return [reference.name, ...(webgpu === undefined ? [] : [webgpu.name])];
    },
    async load(request) {
      const { reference, webgpu, fingerprint } = await open();
      const remembered = asRemembered(request.remembered, insist);
      if (webgpu !== undefined && remembered?.fingerprint === fingerprint) {
        const engine = remembered.engine === webgpu.name ? webgpu : reference;
        const session = await engine.load(await request.model());
        return { session, note: choiceNote(remembered), check: { choice: remembered, remembered: true } };
      }
      const { choice, session } = await chooseEngine({
        reference,
        candidate: webgpu,
        model: await request.model(),
        feeds: await request.sample(),
        clock,
        insist,
      });
      if (webgpu === undefined) return { session, note: choiceNote(choice) };
      await request.remember?.({ ...choice, fingerprint } satisfies RememberedChoice);
      return { session, note: choiceNote(choice), check: { choice, remembered: false } };
    },
    async close() {
      const last = await opening?.catch(() => undefined);
      await Promise.all([last?.reference.close(), last?.webgpu?.close()]);
    },
  };
}
