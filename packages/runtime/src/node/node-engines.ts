import { failure } from "@tributary/core";
import type { Engine } from "@tributary/engine";
import type { EngineProvider, OpenSessionRequest, SessionLease } from "../engine-provider.ts";
import { createSessionCache, type SessionCache } from "../session-cache.ts";
import { createTurns, type Turns } from "../turns.ts";

interface Shared {
  readonly cache: SessionCache;
  /** Whose training runs: one after the other, the first is ready long before all would be. */
  readonly trainings: Turns;
}

/** A model is in memory as bytes, as bound weights, and as the engine has it, while it is loaded. */
const LOADED_PER_MODEL_BYTE = 3;

/** Runtimes that were given the same engine share its sessions by what they were built from. */
const sharedBy = new WeakMap<Engine, Shared>();

function sharedOf(engine: Engine): Shared {
  let shared = sharedBy.get(engine);
  if (shared === undefined) {
    shared = { cache: createSessionCache(), trainings: createTurns() };
    sharedBy.set(engine, shared);
  }
  return shared;
}

function openOn(engine: Engine, { key, model, signal }: OpenSessionRequest): Promise<SessionLease> {
  return sharedOf(engine).cache.acquire(
    key,
    async () => ({ session: await engine.load(await model()) }),
    ...(signal === undefined ? [] : [signal]),
  );
}

/**
 * Sessions of one engine for one device.
 * @param owned the engine belongs to this device and is closed with it
 * @param tfjs for models of TensorFlow.js; whoever made it closes it
 */
export function createNodeEngines(engine: Engine, owned: boolean, tfjs?: Engine): EngineProvider {
  const { cache, trainings } = sharedOf(engine);
  const open = (request: OpenSessionRequest): Promise<SessionLease> => openOn(engine, request);
  return {
    async openInference(request) {
      if (request.format === "onnx") return await open(request);
      if (tfjs !== undefined) return await openOn(tfjs, request);
      throw failure(
        "engine/unavailable",
        "runtime: this is a model of TensorFlow.js; pass `tfjs: await createTfjsEngine()` of @tributary/engine/tfjs to createRuntime",
      );
    },
    async openTraining(request) {
      const endTurn = await trainings.take(request.signal);
      try {
        const lease = await open(request);
        return {
          session: lease.session,
          engine: lease.engine,
          async release(options) {
            endTurn();
            await lease.release(options);
          },
        };
      } catch (error) {
        endTurn();
        throw error;
      }
    },
    openPart: open,
    heapBytes: () => undefined,
    hasRoomFor: (modelBytes) => process.availableMemory() > LOADED_PER_MODEL_BYTE * modelBytes,
    diagnose: () => ({
      available: [engine.name, ...(tfjs === undefined ? [] : [tfjs.name])],
      fingerprint: `${engine.name} node ${process.version}`,
      gpuLosses: 0,
    }),
    async close() {
      if (!owned) return;
      await cache.close();
      await engine.close();
    },
  };
}
