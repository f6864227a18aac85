import { describeDeviceStore } from "@tributary/runtime/testing";
import { createMemoryStore } from "../../src/store/memory-store.ts";

describeDeviceStore("memory", {
  open: async () => createMemoryStore(),
  remove: async () => {},
  persistent: false,
});
