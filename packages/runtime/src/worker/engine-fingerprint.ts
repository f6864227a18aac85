/** What a choice of engines holds for. */
import type { Engine } from "@tributary/engine";
import type { AdapterVerdict, OrtWeb } from "@tributary/engine/ort-web";

/** The part of `navigator` that is used; `userAgentData` is Chromium's. */
export interface FingerprintNavigator {
  readonly userAgent?: string;
  readonly userAgentData?: {
    getHighEntropyValues(hints: readonly string[]): Promise<{
      readonly fullVersionList?: readonly { readonly brand: string; readonly version: string }[];
      readonly platform?: string;
      readonly platformVersion?: string;
    }>;
  };
}

/**
 * Browser with its full version where it tells it, system, adapter, engine and threads. A driver shows in the adapter's
 * description, and otherwise only when a run fails.
 */
export async function engineFingerprint(
  navigator: FingerprintNavigator | undefined,
  { entry, adapter, version, threads }: Pick<OrtWeb, "entry" | "adapter" | "version" | "threads">,
): Promise<string> {
  const browser = await describeBrowser(navigator);
  return [
    browser,
    describeAdapter(adapter),
    `onnxruntime-web/${entry} ${version}`,
    `${threads} threads`,
  ].join("; ");
}

/** The same for TensorFlow.js. */
export async function tfjsFingerprint(
  navigator: FingerprintNavigator | undefined,
  { adapter, version, reference }: { adapter: AdapterVerdict; version: string; reference: Engine },
): Promise<string> {
  const browser = await describeBrowser(navigator);
  return [browser, describeAdapter(adapter), `tfjs ${version}`, reference.name].join("; ");
}

export function describeAdapter(adapter: AdapterVerdict): string {
  return "description" in adapter ? `${adapter.kind}: ${adapter.description}` : adapter.kind;
}

async function describeBrowser(navigator: FingerprintNavigator | undefined): Promise<string> {
  const plain = navigator?.userAgent ?? "unknown";
  try {
    const more = await navigator?.userAgentData?.getHighEntropyValues(["fullVersionList", "platformVersion"]);
    if (more?.fullVersionList === undefined) return plain;
    // One of the brands is made up, and changes its place.
    const brands = more.fullVersionList
      .filter(({ brand }) => !/not.?a.?brand/i.test(brand))
      .map(({ brand, version }) => `${brand} ${version}`)
      .toSorted();
    return [...brands, `${more.platform ?? ""} ${more.platformVersion ?? ""}`.trim()].join(", ");
  } catch {
    return plain;
  }
}
