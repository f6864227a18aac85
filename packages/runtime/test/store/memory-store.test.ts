import { describeDeviceStore } from "@tributary/runtime/testing";
import { createMemoryStore } from "../../src/testing/memory-store.ts";

describeDeviceStore("memory", {
  open: async () => createMemoryStore(),
  remove: async () => {},
  persistent: false,
});
