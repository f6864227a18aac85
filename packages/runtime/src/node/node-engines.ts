import type { Engine } from "@tributary/engine";
import type { EngineProvider, OpenSessionRequest, SessionLease } from "../engine-provider.ts";
import { createSessionCache, type SessionCache } from "../session-cache.ts";

/** Runtimes that were given the same engine share its sessions by what they were built from. */
const caches = new WeakMap<Engine, SessionCache>();

/**
 * Sessions of one engine for one device.
 * @param owned the engine belongs to this device and is closed with it
 */
export function createNodeEngines(engine: Engine, owned: boolean): EngineProvider {
  let cache = caches.get(engine);
  if (cache === undefined) caches.set(engine, (cache = createSessionCache()));
  const shared = cache;
  const open = ({ key, model, signal }: OpenSessionRequest): Promise<SessionLease> =>
    shared.acquire(
      key,
      async () => ({ session: await engine.load(await model()) }),
      ...(signal === undefined ? [] : [signal]),
    );
  return {
    openInference: open,
    openTraining: open,
    async close() {
      if (!owned) return;
      await shared.close();
      await engine.close();
    },
  };
}
