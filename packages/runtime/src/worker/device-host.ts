/** The worker's side of the boundary: a device behind methods of plain data. */
import { failure } from "@tributary/core";
import type { CallOptions, Device, DeviceConfig } from "../device.ts";
import type { TokenRequest } from "../runtime.ts";
import { settle, unsettle } from "./error-transfer.ts";
import type { Settled } from "./error-transfer.ts";
import { answerRuns, type RunEndpoint } from "./run-messages.ts";
import type { TfjsSettings } from "./tfjs-engines.ts";

/** The methods of a device that a page may call; the last argument, its options, is made here. */
export type DeviceMethod = Exclude<keyof Device, "run" | "subscribe" | "close">;

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
    readonly tfjsSettings?: TfjsSettings;
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
) => Promise<OpenedDevice>;

export interface OpenedDevice {
  readonly device: Device;
  /** Memory that the engine has reserved, in bytes, where it is known. */
  readonly heapBytes?: () => number | undefined;
}

/** @param endpoint - inference calls come over it, beside Comlink's messages */
export function createDeviceHost(open: OpenDevice, endpoint: RunEndpoint): DeviceHost {
  const calls = new Map<number, AbortController>();
  let device: Device | undefined;
  let heapBytes: OpenedDevice["heapBytes"];
  let unsubscribe: (() => void) | undefined;
  let closing: Promise<void> | undefined;

  /** Calls the device; under an id, with a signal that `cancel` aborts. */
  const abortably = async <T>(
    callId: number | undefined,
    name: string,
    call: (opened: Device, options: CallOptions) => Promise<T>,
  ): Promise<Settled<T>> => {
    const controller = callId === undefined ? undefined : new AbortController();
    if (controller !== undefined) calls.set(callId!, controller);
    const result = await settle(() => {
      if (device === undefined || closing !== undefined) {
        const when = device === undefined ? "before start" : "after close";
        throw failure("runtime/closed", `runtime: ${name} ${when}`);
      }
      return call(device, controller === undefined ? {} : { signal: controller.signal });
    });
    if (callId !== undefined) calls.delete(callId);
    return result;
  };

  answerRuns(
    endpoint,
    ({ id, model, feeds, cancellable, personal }) =>
      abortably(cancellable ? id : undefined, "run", (opened, options) =>
        opened.run(model, feeds, personal === undefined ? options : { ...options, personal }),
      ),
    () => heapBytes?.(),
  );
  return {
    start: (start, events, token) =>
      settle(async () => {
        if (device !== undefined) throw failure("core/internal", "worker: started twice");
        ({ device, heapBytes } = await open(start, async (asking) => unsettle(await token(asking))));
        unsubscribe = device.subscribe((event) => events.postMessage(event));
      }),
    invoke: (callId, method, args) =>
      abortably(callId, method, (opened, options) => {
        const call = opened[method] as (...all: unknown[]) => Promise<unknown>;
        return call.call(opened, ...args, options);
      }),
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
