import { expect, test } from "vitest";
import type { Device } from "../../src/device.ts";
import type { Erasure } from "../../src/forget/erasure.ts";
import { shareForgetting } from "../../src/worker/share-forgetting.ts";

const erasure: Erasure = {
  at: 1,
  examples: [],
  learned: [],
  keys: [],
  settings: [],
  coordinator: { record: "none" },
};

test("what one tab forgets all forget, each once; a tab that could not tells nobody", async () => {
  const name = `forgotten-${crypto.randomUUID()}`;
  const told: string[] = [];
  let failing = true;
  const heard = Promise.withResolvers<void>();
  const tab = (label: string): Device => {
    const device: Partial<Device> = {
      async forget() {
        if (label === "first" && failing) throw new Error("the store is away");
        told.push(label);
        if (told.length === 3) heard.resolve();
        return erasure;
      },
      close: async () => {},
    };
    return shareForgetting(device as Device, name);
  };
  const [first, second, third] = [tab("first"), tab("second"), tab("third")];
  await expect(first.forget({})).rejects.toThrow("away");
  failing = false;
  expect(await first.forget({})).toBe(erasure);
  await heard.promise;
  expect(told[0]).toBe("first");
  expect(told.toSorted()).toEqual(["first", "second", "third"]);
  await Promise.all([first, second, third].map((device) => device.close()));
});
