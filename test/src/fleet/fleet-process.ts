import { join } from "node:path";
import type { Engine } from "@tributary/engine";
import { createOrtNodeEngine } from "@tributary/engine/ort-node";
import type { Runtime, RuntimeEvent } from "@tributary/runtime";
import { createRuntime } from "@tributary/runtime/node";

// One process of many connected devices, which tells when each of them runs the next version.

export interface FleetProcess {
  readonly coordinator: string;
  /** base64 */
  readonly root: string;
  readonly token: string;
  /** Each device has a folder in it. */
  readonly folder: string;
  /** Numbers of its devices. */
  readonly devices: readonly number[];
  /** Those that go on to load the version, into an engine of their own, and check it; the others have it ready for their app to apply. */
  readonly loading: readonly number[];
}

/** What a device tells of the next version. */
export interface Adoption {
  readonly device: number;
  /** Since the epoch: when it was verified and on its disk, and where it loads it, ran. */
  readonly atMs: number;
  /** Since the epoch; of one that loads it. */
  readonly pushedAtMs?: number;
  /** That came for it, metadata included. */
  readonly bytesDown: number;
  /** Of the version's files as they are. */
  readonly fullBytes: number;
}

export type FleetMessage =
  | { readonly type: "ready" }
  | {
      readonly type: "adopted";
      readonly adoptions: readonly Adoption[];
      /** What it took of a processor. */
      readonly cpuMs: number;
    };

/** Devices that start at a time. */
const LANES = 8;

const { coordinator, root, token, folder, devices, loading } = JSON.parse(process.argv[2]!) as FleetProcess;
const trust = { root: new Uint8Array(Buffer.from(root, "base64")) };
const shared = await createOrtNodeEngine();
const runtimes: Runtime[] = [];
const adopted: Promise<Adoption>[] = [];

async function open(device: number): Promise<void> {
  const loads = loading.includes(device);
  const engine: Engine = loads ? await createOrtNodeEngine() : shared;
  const runtime = await createRuntime({
    coordinator,
    trust,
    token,
    dataDir: join(folder, `device-${device}`),
    engine,
  });
  runtimes.push(runtime);
  const events = runtime.events()[Symbol.asyncIterator]();
  await runtime.model("digits", { update: loads ? "auto" : "manual" });
  while ((await runtime.status()).connection !== "connected") await until(events, isConnected);
  adopted.push(adoptionOf(device, loads, runtime, events));
}

const isConnected = (event: RuntimeEvent): event is RuntimeEvent & { type: "connection" } =>
  event.type === "connection";

/** The version is on the disk, or runs. */
type Arrival = RuntimeEvent & { type: "running" | "update-available" };

async function adoptionOf(
  device: number,
  loads: boolean,
  runtime: Runtime,
  events: AsyncIterator<RuntimeEvent>,
): Promise<Adoption> {
  const before = (await runtime.status()).bytesDown;
  let fullBytes = 0;
  const arrival = await until(events, (event): event is Arrival => {
    if (event.type === "progress" && event.part === "model") ({ fullBytes } = event);
    if (event.type === "running") return loads && event.previousVersion !== null;
    return event.type === "update-available";
  });
  const pushedAtMs =
    arrival.type === "running" ? { pushedAtMs: arrival.at - (arrival.appliedAfterMs ?? 0) } : {};
  const bytesDown = (await runtime.status()).bytesDown - before;
  return { device, atMs: arrival.at, ...pushedAtMs, bytesDown, fullBytes };
}

async function until<Wanted extends RuntimeEvent>(
  events: AsyncIterator<RuntimeEvent>,
  isWanted: (event: RuntimeEvent) => event is Wanted,
): Promise<Wanted> {
  for (;;) {
    const { done, value } = await events.next();
    if (done === true) throw new Error("fleet: the runtime ended");
    if (isWanted(value)) return value;
  }
}

const waiting = devices.slice();
await Promise.all(
  Array.from({ length: LANES }, async () => {
    for (let device = waiting.shift(); device !== undefined; device = waiting.shift()) await open(device);
  }),
);
const tell = (message: FleetMessage): void => void process.send!(message);
tell({ type: "ready" });
const before = process.cpuUsage();
const adoptions = await Promise.all(adopted);
const { user, system } = process.cpuUsage(before);
tell({ type: "adopted", adoptions, cpuMs: (user + system) / 1000 });
await Promise.all(runtimes.map((runtime) => runtime.close()));
process.disconnect();
