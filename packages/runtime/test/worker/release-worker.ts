/**
 * The real device of a page (IndexedDB, onnxruntime-web, verified releases) in a worker, with a release repository in
 * memory instead of a network. The page says what to release over a BroadcastChannel: a version of the digits, or a model.
 */
import { silentLogger, systemEnv } from "@tributary/core";
import { buildLinear } from "@tributary/onnx";
import type { InputSample, VariantForm } from "@tributary/protocol";
import { openSecAggCrypto } from "@tributary/secagg";
import { expose } from "comlink";
import { createDevice } from "../../src/create-device.ts";
import { createCanvasReader } from "../../src/images/canvas-reader.ts";
import { openBrowserStore } from "../../src/store/browser-store.ts";
import { browserConditions, type ConditionsNavigator } from "../../src/worker/browser-conditions.ts";
import { createBrowserEngines } from "../../src/worker/browser-engines.ts";
import { createDeviceHost } from "../../src/worker/device-host.ts";
import type { RunEndpoint } from "../../src/worker/run-messages.ts";
import type { OpenDevice } from "../../src/worker/device-host.ts";
import { createTfjsEngines } from "../../src/worker/tfjs-engines.ts";
import { buildConvolution } from "../fixtures/convolution-model.ts";
import { createReleaseRepository, type ReleaseRepository } from "../fixtures/release-repository.ts";
import { buildTextModel } from "../fixtures/several-inputs.ts";

/** Another model to release, beside those that are there from the start. */
export interface ReleasedModel {
  readonly name: string;
  /** ONNX, or a TensorFlow.js artifact. */
  readonly onnx: Uint8Array;
  /** Derived forms of it, and what their inputs look like. */
  readonly forms?: Readonly<Partial<Record<VariantForm, Uint8Array>>>;
  readonly sample?: InputSample;
}

const releaseModel = (repository: ReleaseRepository, { name, onnx, ...more }: ReleasedModel): Promise<void> =>
  repository.releaseModel(name, onnx, 2, more);

const open: OpenDevice = async (start) => {
  const repository = await createReleaseRepository();
  await repository.release(1);
  await repository.releaseModel("texts", buildTextModel());
  await repository.releaseModel("seen", buildLinear({ seed: "seen" }), 2, {
    explained: true,
    processing: {
      inputs: { image: { kind: "image", layout: "nchw", channels: "gray", fit: "contain", invert: true } },
      output: { name: "logits", activation: "softmax", topK: 3 },
    },
    labels: Array.from({ length: 10 }, (_, digit) => `digit ${digit}`),
  });
  await repository.releaseModel("convolution", buildConvolution(6));
  const channel = new BroadcastChannel(start.lifeLock);
  channel.addEventListener("message", ({ data }: MessageEvent<number | ReleasedModel>) => {
    const released = typeof data === "number" ? repository.release(data) : releaseModel(repository, data);
    void released.then(() => channel.postMessage("released"));
  });
  const answer = async (input: string | URL | Request): Promise<Response> => {
    const path = new URL(input instanceof Request ? input.url : input).pathname;
    const name = path.split("/").at(-1)!;
    const bytes = path.startsWith("/v1/tuf/") ? repository.metadata.get(name) : repository.blobs.get(name);
    return bytes === undefined
      ? new Response(null, { status: 404 })
      : new Response(bytes as Uint8Array<ArrayBuffer>);
  };
  await new Promise<void>((held) => {
    void navigator.locks.request(start.lifeLock, () => {
      held();
      return new Promise(() => {});
    });
  });
  const env = systemEnv({ log: silentLogger });
  const engines = createBrowserEngines({
    ...start.engine,
    clock: env.clock,
    tfjs: (options) => createTfjsEngines({ ...options, load: () => import("@tributary/engine/tfjs") }),
  });
  const device = createDevice(
    { ...start.config, trustedRoot: repository.root },
    {
      env,
      // Without files, as in some browsers' private windows.
      store: await openBrowserStore({
        name: start.database,
        clock: env.clock,
        log: env.log,
        navigator: { locks: navigator.locks },
      }),
      engines,
      images: async () => createCanvasReader(),
      conditions: browserConditions(navigator as ConditionsNavigator, start.engine),
      openSecAggCrypto,
      openSocket: async () => (_options, handlers) => {
        queueMicrotask(() => handlers.closed({ code: 1006, reason: "no network here" }));
        return { bufferedBytes: 0, send() {}, close() {} };
      },
      fetch: answer as typeof fetch,
    },
  );
  return { device, heapBytes: () => engines.heapBytes() };
};

expose(createDeviceHost(open, globalThis as unknown as RunEndpoint));
