import { delay, systemClock, TributaryError } from "@tributary/core";
import type { Engine } from "@tributary/engine";
import { exampleTable, ONLY_INPUT } from "@tributary/engine/examples";
import type { ModelHandle, Runtime, RuntimeEvent } from "@tributary/runtime";
import { giveExamples } from "@tributary/runtime/internal-node";
import { createRuntime } from "@tributary/runtime/node";
import { tensor } from "@tributary/tensor";
import type { FleetDevice, FleetWorkerData } from "./fleet-messages.ts";
import type { LabelledImages } from "./shards.ts";

export interface RunFleetDeviceOptions {
  readonly device: FleetDevice;
  readonly config: FleetWorkerData;
  readonly shard: () => LabelledImages;
  readonly engine: Engine;
  readonly token: () => Promise<string>;
  readonly onEvent: (event: RuntimeEvent) => void;
  /** The device has its model and takes part. */
  readonly onStarted: (examples: number) => void;
  readonly signal: AbortSignal;
}

/** How long a device waits before it tries again to get its first model. */
const RETRY_MS = 1000;

/** A real device, as `@tributary/agent` runs one, on examples of the fleet. Answers when it takes part. */
export async function startFleetDevice(options: RunFleetDeviceOptions): Promise<Runtime> {
  const { device, config, signal } = options;
  const runtime = await createRuntime({
    coordinator: config.coordinator,
    trust: { root: config.trustedRoot, minimumCohort: config.minimumCohort },
    population: config.population,
    token: options.token,
    dataDir: device.dataDir,
    engine: options.engine,
    software: "tributary-simulator",
  });
  signal.addEventListener("abort", () => void runtime.close(), { once: true });
  void forward(runtime, options.onEvent);
  const model = await openModel(runtime, config.model, signal);
  const examples = await give(model, device.dataDir, options.shard());
  runtime.participate({ consent: true, task: config.task });
  options.onStarted(examples);
  return runtime;
}

async function give(
  model: ModelHandle,
  dataDir: string,
  { images, labels }: LabelledImages,
): Promise<number> {
  const count = labels.length;
  if (count === 0) return 0;
  const table = exampleTable([
    [ONLY_INPUT, tensor("uint8", [count, images.length / count], images)],
    ["labels", tensor("uint8", [count], labels)],
  ]);
  return await giveExamples(model, dataDir, table);
}

async function forward(runtime: Runtime, onEvent: (event: RuntimeEvent) => void): Promise<void> {
  for await (const event of runtime.events()) onEvent(event);
}

/** The coordinator may come up after its fleet. */
async function openModel(runtime: Runtime, name: string, signal: AbortSignal): Promise<ModelHandle> {
  for (;;) {
    try {
      return await runtime.model(name, { signal });
    } catch (error) {
      signal.throwIfAborted();
      const wait = TributaryError.is(error) && (error.retryable || error.code === "runtime/unknown-model");
      if (!wait) throw error;
      await delay(systemClock, RETRY_MS, signal);
    }
  }
}
