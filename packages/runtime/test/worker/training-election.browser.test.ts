import { systemClock } from "@tributary/core";
import { expect, test } from "vitest";
import type { Device } from "../../src/device.ts";
import type { RuntimeEvent } from "../../src/runtime.ts";
import { electTrainer } from "../../src/worker/training-election.ts";

/** Two tabs of one device, and what their devices were told. */
function tabs(
  name: string,
): { device: Device; calls: string[]; events: RuntimeEvent[]; told(call: string): Promise<void> }[] {
  return [0, 1].map(() => {
    const calls: string[] = [];
    const events: RuntimeEvent[] = [];
    const waiting: (() => void)[] = [];
    const record = async (call: string): Promise<void> => {
      calls.push(call);
      for (const check of waiting) check();
    };
    const inner = {
      participate: () => record("participate"),
      stopParticipating: () => record("stop"),
      close: () => record("close"),
      subscribe: () => () => {},
    } as unknown as Device;
    const device = electTrainer(inner, { locks: navigator.locks, name, clock: systemClock });
    device.subscribe((event) => events.push(event));
    const told = (call: string): Promise<void> =>
      new Promise((resolve) => {
        const check = (): void => {
          if (calls.includes(call)) resolve();
        };
        waiting.push(check);
        check();
      });
    return { device, calls, events, told };
  });
}

const request = { consent: true, when: "always" } as const;

test("one tab trains; the other says that it waits, and takes over when the first stops", async () => {
  const [first, second] = tabs("election-stop");
  await first!.device.participate(request);
  await second!.device.participate(request);
  expect(first!.calls).toEqual(["participate"]);
  expect(second!.calls).toEqual([]);
  await first!.device.stopParticipating();
  await second!.told("participate");
  expect(second!.events).toMatchObject([{ type: "problem", code: "runtime/locked", retryable: true }]);
  expect(first!.calls).toEqual(["participate", "stop"]);
  await second!.device.close();
});

test("a tab that waits and is stopped never takes part", async () => {
  const [first, second] = tabs("election-withdraw");
  await first!.device.participate(request);
  await second!.device.participate(request);
  await second!.device.stopParticipating();
  await first!.device.close();
  expect(second!.calls).toEqual([]);
  expect(first!.calls).toEqual(["participate", "stop", "close"]);
  // The lock is free again.
  await second!.device.participate(request);
  expect(second!.calls).toEqual(["participate"]);
  await second!.device.close();
});

test("participating again replaces the request and keeps the turn", async () => {
  const [first] = tabs("election-again");
  await first!.device.participate(request);
  await first!.device.participate({ ...request, when: "idle" });
  expect(first!.calls).toEqual(["participate", "stop", "participate"]);
  await first!.device.close();
});
