import { asTaskName } from "@tributary/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Bus } from "../ports/bus.ts";

/** The conformance suite of `Bus`: every adapter's tests call it with what opens a new one. */
export function describeBus(name: string, open: () => Promise<Bus>): void {
  describe(`Bus: ${name}`, () => {
    let bus: Bus;
    beforeEach(async () => {
      bus = await open();
    });
    afterEach(() => bus.close());

    test("every subscriber of the topic hears it, in order", async () => {
      const first: number[] = [];
      const second: number[] = [];
      bus.subscribe("devices", ({ connected }) => first.push(connected));
      bus.subscribe("devices", ({ connected }) => second.push(connected));
      bus.subscribe("task", () => first.push(-1));
      const published = [1, 2, 3].map((connected) => bus.publish("devices", { connected, training: 0 }));
      await Promise.all(published);
      expect(first).toEqual([1, 2, 3]);
      expect(second).toEqual([1, 2, 3]);
    });

    test("publishing does not call listeners before it returns", async () => {
      let heard = false;
      bus.subscribe("task", () => (heard = true));
      const published = bus.publish("task", { task: asTaskName("a") });
      expect(heard).toBe(false);
      await published;
      expect(heard).toBe(true);
    });

    test("what nobody subscribed to, and what came before, is not kept", async () => {
      await bus.publish("devices", { connected: 1, training: 0 });
      const heard: number[] = [];
      bus.subscribe("devices", ({ connected }) => heard.push(connected));
      await bus.publish("devices", { connected: 2, training: 0 });
      expect(heard).toEqual([2]);
    });

    test("a listener that fails disturbs nobody", async () => {
      const heard: number[] = [];
      bus.subscribe("devices", () => {
        throw new Error("a listener's fault");
      });
      bus.subscribe("devices", ({ connected }) => heard.push(connected));
      await bus.publish("devices", { connected: 1, training: 0 });
      await bus.publish("devices", { connected: 2, training: 0 });
      expect(heard).toEqual([1, 2]);
    });

    test("a closed subscription hears nothing, also when it closes during a delivery", async () => {
      const heard: string[] = [];
      const early = bus.subscribe("devices", () => {
        heard.push("early");
        late.close();
        early.close();
      });
      const late = bus.subscribe("devices", () => heard.push("late"));
      await bus.publish("devices", { connected: 1, training: 0 });
      await bus.publish("devices", { connected: 2, training: 0 });
      late.close();
      expect(heard).toEqual(["early"]);
    });

    test("a listener may publish", async () => {
      const heard: string[] = [];
      bus.subscribe("devices", () => void bus.publish("task", { task: asTaskName("a") }));
      const second = new Promise<void>((resolve) => {
        bus.subscribe("task", () => {
          heard.push("task");
          resolve();
        });
      });
      await bus.publish("devices", { connected: 1, training: 0 });
      await second;
      expect(heard).toEqual(["task"]);
    });

    test("closing delivers what is under way; afterwards nothing happens", async () => {
      const heard: number[] = [];
      bus.subscribe("devices", ({ connected }) => heard.push(connected));
      void bus.publish("devices", { connected: 1, training: 0 });
      await bus.close();
      await bus.close();
      await bus.publish("devices", { connected: 2, training: 0 });
      expect(heard).toEqual([1]);
    });
  });
}
