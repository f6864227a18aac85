/** A worker with a scripted device: the boundary is real, what is behind it does as the test says. */
import { failure, throwIfAborted } from "@tributary/core";
import type { Tensor } from "@tributary/tensor";
import { expose } from "comlink";
import type { Device } from "../../src/device.ts";
import type { ModelState, RuntimeEvent } from "../../src/runtime.ts";
import { createDeviceHost } from "../../src/worker/device-host.ts";
import type { RunEndpoint } from "../../src/worker/run-messages.ts";
import type { OpenDevice } from "../../src/worker/device-host.ts";

const open: OpenDevice = async (start, token) => {
  const { promise: held, resolve: hold } = Promise.withResolvers<void>();
  void navigator.locks.request(start.lifeLock, () => {
    hold();
    return new Promise(() => {});
  });
  await held;
  const listeners = new Set<(event: RuntimeEvent) => void>();
  const opened: string[] = [];
  const stopped = Promise.withResolvers<void>();
  const stateOf = (model: string): ModelState => ({
    model,
    channel: "stable",
    version: opened.length,
    engine: "ort-wasm",
    variant: "int8-weights",
    inputs: [{ name: "image", dtype: "float32", shape: [1, 1, 28, 28] }],
    outputs: [{ name: "logits", dtype: "float32", shape: [1, 10] }],
  });
  const device: Device = {
    async openModel({ model }) {
      if (model === "missing") {
        throw failure("runtime/unknown-model", 'runtime: no model "missing"', { detail: { model } });
      }
      opened.push(model);
      return stateOf(model);
    },
    async closeModel(model) {
      if (model === "die") self.close();
      if (model === "hang") await new Promise(() => {});
    },
    async personal() {
      return {};
    },
    async run(_model, feeds, { signal } = {}) {
      if (feeds["wait"] !== undefined) {
        await new Promise((_resolve, reject) => {
          signal!.addEventListener("abort", () => {
            for (const listener of listeners) {
              listener({
                type: "problem",
                at: 0,
                code: "core/timeout",
                message: "aborted inside",
                retryable: false,
              });
            }
            reject(signal!.reason as Error);
          });
        });
      }
      throwIfAborted(signal);
      const data = (feeds["image"] as Tensor).data as Float32Array;
      return {
        version: 1,
        outputs: { logits: { dtype: "float32", shape: [data.length], data: data.map((value) => 2 * value) } },
        probabilities: new Float32Array(data.length),
        classes: [0],
        top: [],
        durationMs: 1,
      };
    },
    runChain: async () => {
      throw new Error("not in this fixture");
    },
    explain: async () => {
      throw new Error("not in this fixture");
    },
    refresh: async (model) => stateOf(model),
    applyUpdate: async () => {
      throw new RangeError("applyUpdate: nothing to apply");
    },
    addExamples: async () => {},
    countExamples: async () => opened.length,
    listExamples: async () => [],
    forget: async () => ({
      at: 1,
      examples: [],
      learned: [],
      keys: [],
      settings: [],
      coordinator: { record: "none" as const },
    }),
    exportExamples: async () => undefined,
    clearExamples: async () => {},
    async participate({ task }) {
      const at = 1;
      for (const listener of listeners) {
        listener({ type: "participation", at, event: { type: "state", at, state: "waiting" } });
      }
      if (task === "until-stopped") await stopped.promise;
    },
    setConsent: async () => {},
    setIdle: async () => {},
    setBusy: async () => {},
    setBattery: async () => {},
    stopParticipating: async () => stopped.resolve(),
    reconnect: async () => {},
    async status() {
      return {
        deviceId: await token({ deviceId: "", publicKey: "", population: "default" }),
        connection: "connected",
        models: opened.map(stateOf),
        participation: "waiting",
        bytesUp: 0,
        bytesDown: 0,
        roundsCommitted: 0,
      };
    },
    metrics: async () => ({ models: [] }),
    diagnose: async () => ({
      engines: { available: ["ort-wasm"], fingerprint: "scripted", gpuLosses: 0 },
      models: [],
      storage: { kind: "memory", blobBytes: 0, partialBytes: 0 },
    }),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      if (opened.includes("dies-in-close")) self.close();
      if (opened.some((model) => model.endsWith("in-close"))) await new Promise(() => {});
    },
  };
  return { device };
};

expose(createDeviceHost(open, globalThis as unknown as RunEndpoint));
