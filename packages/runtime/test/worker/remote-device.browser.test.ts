import { silentLogger, systemClock } from "@tributary/core";
import { afterEach, describe, expect, test } from "vitest";
import type { Device } from "../../src/device.ts";
import type { RuntimeEvent } from "../../src/runtime.ts";
import { TRUST_DEFAULTS } from "../../src/trust-limits.ts";
import { memoryBudget } from "../../src/worker/recycling.ts";
import { createRemoteDevice } from "../../src/worker/remote-device.ts";

const opening = { model: "digits", channel: "stable", update: "auto" } as const;
const image = () => ({
  image: { dtype: "float32", shape: [3], data: Float32Array.of(1, 2, 3) } as const,
});

let device: Device;
let workers: Worker[] = [];

function open(script = new URL("./fixture-worker.ts", import.meta.url)): Device {
  workers = [];
  device = createRemoteDevice({
    spawn() {
      const worker = new Worker(script, { type: "module" });
      workers.push(worker);
      return worker;
    },
    start: {
      config: {
        source: { coordinator: "http://127.0.0.1:1", releases: "http://127.0.0.1:1/v1/" },
        population: "default",
        software: "test",
        limits: TRUST_DEFAULTS,
        tags: [],
      },
      enrols: true,
      database: "none",
      lifeLock: `life-${crypto.randomUUID()}`,
      leaderLock: "train",
      engine: {},
      logToConsole: false,
    },
    token: async () => "token-of-the-page",
    locks: navigator.locks,
    // Waiting is shortened a hundredfold.
    clock: { ...systemClock, schedule: (delayMs, run) => systemClock.schedule(delayMs / 100, run) },
    log: silentLogger,
    budget: memoryBudget({}),
  });
  return device;
}

/** The first event that fits. */
function event(of: Device, fits: (event: RuntimeEvent) => boolean): Promise<RuntimeEvent> {
  return new Promise((resolve) => {
    const stop = of.subscribe((each) => {
      if (!fits(each)) return;
      stop();
      resolve(each);
    });
  });
}

afterEach(() => device.close());

describe("a device behind a worker", () => {
  test("calls and results are plain data; the worker asks the page for its token", async () => {
    open();
    expect((await device.openModel(opening)).version).toBe(1);
    const { outputs } = await device.run("digits", image());
    expect([...outputs["logits"]!.data]).toEqual([2, 4, 6]);
    expect((await device.status()).deviceId).toBe("token-of-the-page");
  });

  test("feeds are copied, or handed over when asked", async () => {
    open();
    const kept = image();
    await device.run("digits", kept);
    expect(kept.image.data.length).toBe(3);
    const given = image();
    await device.run("digits", given, { transfer: true });
    expect(given.image.data.length).toBe(0);
  });

  test("errors keep their class, code and detail", async () => {
    open();
    await expect(device.openModel({ ...opening, model: "missing" })).rejects.toMatchObject({
      code: "runtime/unknown-model",
      detail: { model: "missing" },
      retryable: false,
    });
    await expect(device.applyUpdate("digits")).rejects.toThrow(RangeError);
  });

  test("an abort crosses: the call rejects with its reason, and ends inside", async () => {
    open();
    const controller = new AbortController();
    const wait = { dtype: "float32", shape: [0], data: new Float32Array(0) } as const;
    await device.status();
    const inside = event(device, (each) => each.type === "problem" && each.message === "aborted inside");
    const running = device.run("digits", { wait }, { signal: controller.signal });
    const reason = new Error("changed my mind");
    queueMicrotask(() => setTimeout(() => controller.abort(reason)));
    await expect(running).rejects.toBe(reason);
    await inside;
  });

  test("events arrive in the page", async () => {
    open();
    const arrived = event(device, (each) => each.type === "participation");
    await device.participate({ consent: true, when: "always" });
    expect(await arrived).toMatchObject({ event: { state: "waiting" } });
  });

  test("a worker that dies settles its calls with a code, and comes back with the open models", async () => {
    open();
    await device.openModel(opening);
    const lost = event(device, (each) => each.type === "problem" && each.code === "runtime/worker-lost");
    const hanging = device.closeModel("hang");
    const dying = device.closeModel("die");
    await Promise.all([
      expect(hanging).rejects.toMatchObject({ code: "runtime/worker-lost", retryable: true }),
      dying.catch(() => undefined),
      lost,
    ]);
    expect(await device.countExamples("digits")).toBe(1); // opened again in the new worker
    expect(workers.length).toBe(2);
  });

  test("a participation that was stopped while it began is not taken up by a new worker", async () => {
    open();
    await device.openModel(opening);
    let begun = 0;
    device.subscribe((each) => {
      if (each.type === "participation") begun += 1;
    });
    const participating = device.participate({ consent: true, when: "always", task: "until-stopped" });
    await device.stopParticipating();
    await participating;
    const lost = event(device, (each) => each.type === "problem" && each.code === "runtime/worker-lost");
    await Promise.all([device.closeModel("die").catch(() => undefined), lost]);
    expect(await device.countExamples("digits")).toBe(1);
    expect([workers.length, begun]).toEqual([2, 1]);
  });

  test("close settles although the worker dies, or hangs, while it closes", async () => {
    for (const model of ["dies-in-close", "hangs-in-close"]) {
      open();
      await device.openModel({ ...opening, model });
      await device.close();
    }
  });

  test("a listener that throws keeps no event from the others", async () => {
    open();
    await device.status();
    device.subscribe(() => {
      throw new Error("a fault of the app");
    });
    const arrived = event(device, (each) => each.type === "participation");
    await device.participate({ consent: true, when: "always" });
    await arrived;
  });

  test("a script that does not load is a coded error, not a hang, and is not tried for ever", async () => {
    open(new URL("./no-such-worker.ts", import.meta.url));
    for (let attempt = 0; attempt < 5; attempt++) {
      await expect(device.status()).rejects.toMatchObject({ code: "runtime/worker-lost" });
    }
    expect(workers.length).toBeLessThan(6);
  });

  test("close settles what waits, is idempotent, and later calls are refused", async () => {
    open();
    await device.status();
    const hanging = expect(device.closeModel("hang")).rejects.toMatchObject({ code: "runtime/closed" });
    await Promise.all([device.close(), device.close()]);
    await hanging;
    await expect(device.status()).rejects.toMatchObject({ code: "runtime/closed" });
  });
});
