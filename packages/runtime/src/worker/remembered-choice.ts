/** The choice of an engine, as it is kept on the device and told. */
import type { EngineName } from "@tributary/engine";
import type { EngineChoice } from "@tributary/engine/check";

/** What is kept per model version. It holds as long as browser, adapter and engine are the same. */
export interface RememberedChoice extends EngineChoice {
  readonly fingerprint: string;
}

const KNOWN: readonly EngineName[] = ["ort-wasm", "ort-webgpu", "tfjs-wasm", "tfjs-webgpu", "tfjs-cpu"];

/** Why this engine, in words. */
export function choiceNote(choice: EngineChoice): string {
  const { reason, relativeError, medianMs } = choice;
  switch (reason) {
    case "faster": {
      const times = Object.entries(medianMs).map(([name, ms]) => `${name} ${ms.toFixed(2)} ms`);
      return `measured: ${times.join(", ")}`;
    }
    case "insisted":
      return "WebGPU was asked for, and agrees with WASM";
    case "only-engine":
      return "the only engine here";
    case "disagrees":
      return `WebGPU computed something else than WASM (relative error ${relativeError?.toPrecision(2) ?? "unknown"})`;
    case "no-sample":
      return "WebGPU was not compared: no batch is known that this model takes";
    case "failed":
      return `WebGPU failed: ${choice.message ?? "unknown"}`;
    default: {
      const never: never = reason;
      return never;
    }
  }
}

/** Stored values are not trusted to have our shape: an older version may have written them. */
export function asRemembered(value: unknown, insist: boolean): RememberedChoice | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { engine, reason, fingerprint, medianMs } = value as Partial<RememberedChoice>;
  const complete =
    (KNOWN as readonly unknown[]).includes(engine) &&
    (reason === (insist ? "insisted" : "faster") ||
      ["disagrees", "failed", "no-sample"].includes(reason ?? "")) &&
    typeof fingerprint === "string" &&
    typeof medianMs === "object";
  return complete ? (value as RememberedChoice) : undefined;
}
