/** Which single build of onnxruntime-web a realm loads, and why. */
import { failure } from "@tributary/core";
import type * as Ort from "onnxruntime-common";

export type OrtModule = typeof Ort;

/** `wasm`: CPU only (14 MB). `jspi` (17 MB), `webgpu` (27 MB, asyncify): the native WebGPU provider and the CPU one. */
export type OrtWebEntry = "wasm" | "jspi" | "webgpu";

/** What `requestAdapter()` said. */
export type AdapterVerdict =
  | { readonly kind: "none" }
  | { readonly kind: "not-asked" }
  | { readonly kind: "software"; readonly description: string }
  | { readonly kind: "hardware"; readonly description: string };

export interface EntryChoice {
  readonly entry: OrtWebEntry;
  readonly adapter: AdapterVerdict;
  /** What the adapter has of what forms of models ask for; none where it is not used. */
  readonly features: readonly string[];
}

/** Arithmetic in float16. */
const ASKED_FOR = ["shader-f16"];

interface AdapterInfo {
  readonly vendor?: string;
  readonly architecture?: string;
  readonly description?: string;
  readonly isFallbackAdapter?: boolean;
}

interface Adapter {
  readonly features?: { has(name: string): boolean };
  readonly info?: AdapterInfo;
  readonly isFallbackAdapter?: boolean;
}

interface Gpu {
  requestAdapter(): Promise<Adapter | null>;
}

/** Rasterisers that run on the CPU: right answers, some hundred times slower than WASM. */
const SOFTWARE_ADAPTERS = /swiftshader|llvmpipe|lavapipe|basic render|software/i;

/** Asks the browser for a WebGPU adapter; never throws, as some browsers reject instead of answering null. */
async function probeAdapter(): Promise<Omit<EntryChoice, "entry">> {
  const none = { adapter: { kind: "none" }, features: [] } as const;
  const gpu = (globalThis.navigator as { gpu?: Gpu } | undefined)?.gpu;
  if (gpu === undefined) return none;
  let adapter: Adapter | null;
  try {
    adapter = await gpu.requestAdapter();
  } catch {
    return none;
  }
  if (adapter === null) return none;
  const { vendor = "", architecture = "", description = "" } = adapter.info ?? {};
  const text = [vendor, architecture, description].filter((part) => part !== "").join(" ");
  const software =
    adapter.info?.isFallbackAdapter === true ||
    adapter.isFallbackAdapter === true ||
    SOFTWARE_ADAPTERS.test(text);
  return {
    adapter: { kind: software ? "software" : "hardware", description: text },
    features: ASKED_FOR.filter((name) => adapter.features?.has(name) === true),
  };
}

/**
 * Decides the entry.
 *
 * @param prefer `wasm` asks for no adapter at all; `webgpu` takes any adapter and fails without one; `auto` takes a
 *   hardware adapter, and a software one only with `softwareAdapter: "use"`.
 */
export async function chooseEntry(
  prefer: "auto" | "wasm" | "webgpu",
  softwareAdapter: "skip" | "use",
): Promise<EntryChoice> {
  if (prefer === "wasm") return { entry: "wasm", adapter: { kind: "not-asked" }, features: [] };
  const { adapter, features } = await probeAdapter();
  if (prefer === "webgpu" && adapter.kind === "none") {
    throw failure(
      "engine/unavailable",
      'engine: WebGPU was asked for and this browser offers no adapter; use prefer: "auto" to fall back to WASM',
    );
  }
  const usable =
    adapter.kind === "hardware" ||
    (adapter.kind === "software" && (prefer === "webgpu" || softwareAdapter === "use"));
  if (!usable) return { entry: "wasm", adapter, features: [] };
  // JSPI suspends the WASM stack natively; the asyncify build is 60 % larger and only for browsers without it.
  const jspi = typeof (WebAssembly as { Suspending?: unknown }).Suspending === "function";
  return { entry: jspi ? "jspi" : "webgpu", adapter, features };
}

/** Imports one entry; the root entry is never used (it carries the deprecated JSEP provider, which miscomputes). */
export async function importEntry(entry: OrtWebEntry): Promise<OrtModule> {
  switch (entry) {
    case "wasm":
      return import("onnxruntime-web/wasm");
    case "jspi":
      return import("onnxruntime-web/jspi");
    case "webgpu":
      return import("onnxruntime-web/webgpu");
    default: {
      const never: never = entry;
      return never;
    }
  }
}
