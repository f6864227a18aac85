import { failure } from "@tributary/core";
import type { Engine } from "@tributary/engine";
import type { ModelFormat } from "@tributary/protocol";
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
  const { cache } = sharedOf(engine);
  const engineOf = (format: ModelFormat): Engine => {
    if (format === "onnx") return engine;
    if (tfjs !== undefined) return tfjs;
    throw failure(
      "engine/unavailable",
      "runtime: this is a model of TensorFlow.js; pass `tfjs: await createTfjsEngine()` of @tributary/engine/tfjs to createRuntime",
    );
  };
  return {
    openInference: async (request) => await openOn(engineOf(request.format), request),
    async openTraining(request) {
      const own = engineOf(request.format);
      const endTurn = await sharedOf(own).trainings.take(request.signal);
      try {
        const lease = await openOn(own, request);
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
    openPart: (request) => openOn(engine, request),
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
