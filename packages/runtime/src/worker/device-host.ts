/** The worker's side of the boundary: a device behind methods of plain data. */
import { failure } from "@tributary/core";
import { transfer } from "comlink";
import type { Device, DeviceConfig } from "../device.ts";
import type { Inference, TokenRequest } from "../runtime.ts";
import { settle, unsettle } from "./error-transfer.ts";
import type { Settled } from "./error-transfer.ts";

/** The methods of a device that a page may call; the last argument, its options, is made here. */
export type DeviceMethod = Exclude<keyof Device, "subscribe" | "close">;

/** What a worker is started with. */
export interface WorkerStart {
  readonly config: DeviceConfig;
  /** Whether the page has enrolment tokens; without them the device only polls for releases. */
  readonly enrols: boolean;
  /** Name of the IndexedDB database. */
  readonly database: string;
  /** The worker holds this Web Lock while it lives: whoever gets it knows that the worker is gone. */
  readonly lifeLock: string;
  /** Elects the one tab that connects and trains. */
  readonly leaderLock: string;
  readonly engine: {
    readonly prefer?: "auto" | "wasm" | "webgpu";
    readonly threads?: number;
    readonly wasmPaths?: string | { readonly wasm?: string; readonly mjs?: string };
    readonly softwareAdapter?: "skip" | "use";
  };
  readonly logToConsole: boolean;
}

/** Asks the page for an enrolment token. */
export type AskToken = (device: TokenRequest) => Promise<Settled<string>>;

/** Exposed by Comlink. An abort crosses as the id of its call, an error as a result. */
export interface DeviceHost {
  /** Called once, first. Events are posted to the port. */
  start(start: WorkerStart, events: MessagePort, token: AskToken): Promise<Settled<void>>;
  invoke(callId: number, method: DeviceMethod, args: readonly unknown[]): Promise<Settled<unknown>>;
  /** Aborts a call; nothing happens when it has ended. */
  cancel(callId: number): void;
  /** Closes the device and lets go of everything; the worker can be terminated then. */
  close(): Promise<void>;
}

export type OpenDevice = (
  start: WorkerStart,
  token: (device: TokenRequest) => Promise<string>,
) => Promise<Device>;

export function createDeviceHost(open: OpenDevice): DeviceHost {
  const calls = new Map<number, AbortController>();
  let device: Device | undefined;
  let unsubscribe: (() => void) | undefined;
  let closing: Promise<void> | undefined;

  return {
    start: (start, events, token) =>
      settle(async () => {
        if (device !== undefined) throw failure("core/internal", "worker: started twice");
        device = await open(start, async (asking) => unsettle(await token(asking)));
        unsubscribe = device.subscribe((event) => events.postMessage(event));
      }),
    async invoke(callId, method, args) {
      const controller = new AbortController();
      calls.set(callId, controller);
      const result = await settle(() => {
        if (device === undefined || closing !== undefined) {
          const when = device === undefined ? "before start" : "after close";
          throw failure("runtime/closed", `runtime: ${method} ${when}`);
        }
        const call = device[method] as (...all: unknown[]) => Promise<unknown>;
        return call.call(device, ...args, { signal: controller.signal });
      });
      calls.delete(callId);
      return method === "run" && result.ok ? transfer(result, memoryOf(result.value as Inference)) : result;
    },
    cancel(callId) {
      calls.get(callId)?.abort(new DOMException("The call was aborted.", "AbortError"));
    },
    close() {
      closing ??= (async () => {
        for (const controller of calls.values()) {
          controller.abort(failure("runtime/closed", "runtime: closed while a call was under way"));
        }
        await device?.close();
        unsubscribe?.();
      })();
      return closing;
    },
  };
}

/** The outputs own their memory, so it is handed over instead of copied. */
function memoryOf(inference: Inference): ArrayBuffer[] {
  const buffers = new Set<ArrayBufferLike>([inference.probabilities.buffer]);
  for (const { data } of Object.values(inference.outputs)) buffers.add(data.buffer);
  return [...buffers] as ArrayBuffer[];
}
