import { expect, test } from "vitest";
import type { EngineProvider, OpenTrainingRequest, SessionLease } from "../../src/engine-provider.ts";
import { createTurns } from "../../src/turns.ts";
import { trainInTurn } from "../../src/worker/train-in-turn.ts";

/** Web Locks of one name, as two tabs of a site share them. */
function sharedLocks(): Pick<LockManager, "request"> {
  const turns = createTurns();
  const request = async (
    _name: string,
    { signal }: LockOptions,
    granted: (lock: null) => Promise<void>,
  ): Promise<void> => {
    const end = await turns.take(signal);
    await granted(null);
    end();
  };
  return { request: request as LockManager["request"] };
}

const request: OpenTrainingRequest = { key: "graph", model: () => new Uint8Array(), sample: () => ({}) };

test("a tab's training begins when that of another is over, or is given up", async () => {
  const locks = sharedLocks();
  const log: string[] = [];
  const tab = (name: string): EngineProvider =>
    trainInTurn(
      {
        async openTraining() {
          log.push(`${name} begins`);
          if (name === "broken") throw new Error("no engine");
          return {
            engine: "ort-wasm",
            session: {},
            release: async () => void log.push(`${name} ends`),
          } as unknown as SessionLease;
        },
      } as unknown as EngineProvider,
      locks,
      "training",
    );
  const first = await tab("first").openTraining(request);
  const controller = new AbortController();
  const impatient = tab("impatient").openTraining({ ...request, signal: controller.signal });
  const broken = tab("broken").openTraining(request);
  const second = tab("second").openTraining(request);
  controller.abort(new Error("enough"));
  await expect(impatient).rejects.toThrow("enough");
  expect(log).toEqual(["first begins"]);
  await first.release();
  await expect(broken).rejects.toThrow("no engine");
  await (await second).release();
  expect(log).toEqual(["first begins", "first ends", "broken begins", "second begins", "second ends"]);
});
