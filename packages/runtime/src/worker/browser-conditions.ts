import type { ConditionsPort } from "../device.ts";

/** Network information, where a browser has it: Chromium. */
interface NetworkInformation extends EventTarget {
  readonly saveData?: boolean;
  readonly type?: string;
}

/** The part of a worker's `navigator` that is used. */
export interface ConditionsNavigator {
  readonly deviceMemory?: number;
  readonly connection?: NetworkInformation;
  readonly language?: string;
  readonly languages?: readonly string[];
  readonly gpu?: {
    requestAdapter(): Promise<{ readonly info?: { readonly isFallbackAdapter?: boolean } } | null>;
  };
}

/** What a browser tells a worker. The battery comes from the page. @param tfjs - that it may train on beside WebGPU */
export function browserConditions(
  navigator: ConditionsNavigator,
  engine: { readonly prefer?: "auto" | "wasm" | "webgpu"; readonly softwareAdapter?: "skip" | "use" },
  tfjs?: "tfjs-wasm" | "tfjs-cpu",
): ConditionsPort {
  const hasGpu = async (): Promise<boolean> => {
    if (engine.prefer === "wasm" || navigator.gpu === undefined) return false;
    const adapter = await navigator.gpu.requestAdapter().catch(() => null);
    if (adapter === null) return false;
    return adapter.info?.isFallbackAdapter !== true || engine.softwareAdapter === "use";
  };
  let gpu: Promise<boolean> | undefined;
  return {
    async read() {
      const { deviceMemory, connection, language, languages } = navigator;
      const withGpu = await (gpu ??= hasGpu());
      return {
        engines: [
          ...(withGpu ? ["ort-webgpu", "ort-wasm"] : ["ort-wasm"]),
          ...(tfjs === undefined ? [] : [...(withGpu ? ["tfjs-webgpu"] : []), tfjs]),
        ],
        // In GiB, rounded by the browser.
        memoryMb: deviceMemory === undefined ? null : deviceMemory * 1024,
        battery: null,
        // It may be cleared without a word, after 7 days without a visit or where space is short.
        durableStorage: false,
        network: connection === undefined ? null : networkOf(connection),
        ...(connection?.saveData === true ? { saveData: true } : {}),
        languages: languages ?? (language === undefined ? [] : [language]),
      };
    },
    follow(changed) {
      navigator.connection?.addEventListener("change", changed);
      return () => navigator.connection?.removeEventListener("change", changed);
    },
  };
}

/** A desktop's Chromium tells no type, only whether data is to be saved. */
function networkOf({ saveData, type }: NetworkInformation): "metered" | "unmetered" {
  return saveData === true || type === "cellular" ? "metered" : "unmetered";
}
