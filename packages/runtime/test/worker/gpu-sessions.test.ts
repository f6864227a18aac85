import { failure } from "@tributary/core";
import { createVirtualClock } from "@tributary/core/testing";
import type { EngineName, Session } from "@tributary/engine";
import { describe, expect, test } from "vitest";
import { createGpuSessions } from "../../src/worker/gpu-sessions.ts";

/** A GPU that can be taken away: a session made before that fails, and a new device comes when all of them are gone. */
function scriptedGpu() {
  let device = 1;
  const open = new Set<Session>();
  let lost = false;
  return {
    open,
    lose: () => void (lost = true),
    session(engine: EngineName = "ort-webgpu"): Session {
      if (lost && open.size === 0) {
        lost = false;
        device += 1;
      }
      const made = device;
      const session: Session = {
        engine,
        inputs: [],
        outputs: [],
        inputPorts: [],
        outputPorts: [],
        async run() {
          await Promise.resolve();
          if (engine === "ort-webgpu" && (lost || made !== device)) {
            throw failure("engine/device-lost", "gone");
          }
          return {};
        },
        async [Symbol.asyncDispose]() {
          open.delete(session);
        },
      };
      if (engine === "ort-webgpu") open.add(session);
      return session;
    },
  };
}

describe("sessions on a GPU that is lost", () => {
  test("go on on the new one, all of them, and their runs are made again", async () => {
    const gpu = scriptedGpu();
    const sessions = createGpuSessions(createVirtualClock());
    let moved = 0;
    const survive = () =>
      sessions.survive(
        { session: gpu.session() },
        async () => ({ session: gpu.session() }),
        () => (moved += 1),
      );
    const [a, b] = [survive(), survive()];
    await a.session.run({});
    gpu.lose();
    await Promise.all([a.session.run({}), a.session.run({}), b.session.run({})]);
    expect([moved, sessions.losses, gpu.open.size]).toEqual([2, 1, 2]);
    expect(a.session.engine).toBe("ort-webgpu");
    await a.session[Symbol.asyncDispose]();
    await b.session[Symbol.asyncDispose]();
    expect(gpu.open.size).toBe(0);
  });

  test("go on elsewhere where the GPU does not come back", async () => {
    const gpu = scriptedGpu();
    const sessions = createGpuSessions(createVirtualClock());
    const loaded = sessions.survive({ session: gpu.session() }, async () => ({
      session: gpu.session("ort-wasm"),
      note: "on WASM now",
    }));
    gpu.lose();
    await loaded.session.run({});
    expect([loaded.session.engine, loaded.note, gpu.open.size]).toEqual(["ort-wasm", "on WASM now", 0]);
  });

  test("fail with the reason where the model cannot be opened again, until it can", async () => {
    const gpu = scriptedGpu();
    const sessions = createGpuSessions(createVirtualClock());
    const reason = failure("runtime/offline", "the files are gone");
    const loaded = sessions.survive({ session: gpu.session() }, async () => {
      throw reason;
    });
    gpu.lose();
    await expect(loaded.session.run({})).rejects.toBe(reason);
    await expect(loaded.session.run({})).rejects.toBe(reason);
  });

  test("of a training fail, and let go of the GPU for the others", async () => {
    const gpu = scriptedGpu();
    const sessions = createGpuSessions(createVirtualClock());
    const inference = sessions.survive({ session: gpu.session() }, async () => ({ session: gpu.session() }));
    const own = gpu.session();
    const training: Session = sessions.endWith(own, async () => training[Symbol.asyncDispose]());
    gpu.lose();
    await expect(training.run({})).rejects.toMatchObject({ code: "engine/device-lost" });
    await expect(training.run({})).rejects.toMatchObject({ code: "engine/device-lost" });
    await inference.session.run({});
    expect([gpu.open.size, sessions.losses]).toEqual([1, 1]);
  });

  test("that is lost again and again is left alone, for a while", async () => {
    const gpu = scriptedGpu();
    const clock = createVirtualClock();
    const sessions = createGpuSessions(clock);
    const loaded = sessions.survive({ session: gpu.session() }, async () => ({ session: gpu.session() }));
    for (let loss = 0; loss < 4; loss++) {
      expect(sessions.unstable).toBe(false);
      gpu.lose();
      await loaded.session.run({});
    }
    expect(sessions.unstable).toBe(true);
    clock.advance(11 * 60_000);
    expect(sessions.unstable).toBe(false);
  });
});
