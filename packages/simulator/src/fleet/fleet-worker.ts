import { parentPort, workerData } from "node:worker_threads";
import { failure, toFailure } from "@tributary/core";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import type { Runtime } from "@tributary/runtime";
import { startFleetDevice } from "./fleet-device.ts";
import type { FleetWorkerData, FromFleetWorker, ToFleetWorker } from "./fleet-messages.ts";
import { shardOf, type LabelledImages } from "./shards.ts";

// One worker thread of a fleet: some real devices on one engine, told apart by their folders.

const port = parentPort;
if (port === null) throw new TypeError("fleet-worker: to be started by createFleet");
const config = workerData as FleetWorkerData;
const post = (message: FromFleetWorker): void => port.postMessage(message);

const closing = new AbortController();
const wanted = new Map<number, { resolve(token: string): void; reject(error: Error): void }>();
let nextToken = 0;

port.on("message", (message: ToFleetWorker) => {
  switch (message.type) {
    case "token":
      wanted.get(message.id)?.resolve(message.token);
      wanted.delete(message.id);
      return;
    case "token-refused":
      wanted.get(message.id)?.reject(failure("identity/enrolment-failed", message.message));
      wanted.delete(message.id);
      return;
    case "close":
      closing.abort(failure("runtime/closed", "fleet: it was closed"));
      return;
  }
});

function askToken(): Promise<string> {
  return new Promise((resolve, reject) => {
    const id = nextToken++;
    wanted.set(id, { resolve, reject });
    post({ type: "token-wanted", id });
  });
}

function shardFor(index: number, number: number): LabelledImages {
  const { shards } = config;
  return "seed" in shards ? shardOf({ ...shards, dataset: "digits" }, number - 1) : shards[index]!;
}

const engine = await createOrtNodeEngine();
const runtimes = new Set<Runtime>();
const reportBytes = async (device: number, runtime: Runtime): Promise<void> => {
  const { bytesUp, bytesDown } = await runtime.status();
  post({ type: "bytes", device, bytesUp, bytesDown });
};

const starts = config.devices.map(async (device, index) => {
  const { number } = device;
  try {
    const runtime = await startFleetDevice({
      device,
      config,
      shard: () => shardFor(index, number),
      engine,
      token: askToken,
      signal: closing.signal,
      onStarted: (examples) => post({ type: "started", device: number, examples }),
      onEvent(event) {
        // Steps of a training are for the device's own screen.
        if (event.type === "progress") return;
        if (event.type === "participation" && event.event.type === "progress") return;
        post({ type: "event", device: number, event });
        if (event.type === "participation" && event.event.type === "outcome") {
          for (const each of runtimes) if (each === runtime) void reportBytes(number, each);
        }
      },
    });
    runtimes.add(runtime);
  } catch (error) {
    if (closing.signal.aborted) return;
    const { code, message } = toFailure(error);
    post({ type: "device-failed", device: number, code, message });
  }
});

closing.signal.addEventListener("abort", () => {
  void (async () => {
    // Each device closes on the same signal; here is only waited for it.
    await Promise.allSettled(starts);
    await Promise.allSettled([...runtimes].map((runtime) => runtime.close()));
    await engine.close();
    post({ type: "closed" });
    port.close();
  })();
});
