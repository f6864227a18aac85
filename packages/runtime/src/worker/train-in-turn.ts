/** One training at a time on a device, whichever of its tabs it is in. */
import type { EngineProvider } from "../engine-provider.ts";

/** The same engines; whoever asks for a training waits until the one before, here or in another tab, is released. */
export function trainInTurn(
  engines: EngineProvider,
  locks: Pick<LockManager, "request">,
  name: string,
): EngineProvider {
  return {
    ...engines,
    async openTraining(request) {
      const endTurn = await takeTurn(locks, name, request.signal);
      try {
        const lease = await engines.openTraining(request);
        return {
          session: lease.session,
          get engine() {
            return lease.engine;
          },
          note: lease.note,
          check: lease.check,
          async release(options) {
            await lease.release(options);
            endTurn();
          },
        };
      } catch (error) {
        endTurn();
        throw error;
      }
    },
  };
}

function takeTurn(
  locks: Pick<LockManager, "request">,
  name: string,
  signal: AbortSignal | undefined,
): Promise<() => void> {
  return new Promise((resolve, reject) => {
    locks
      .request(name, signal === undefined ? {} : { signal }, () => new Promise<void>((end) => resolve(end)))
      .catch(reject);
  });
}
