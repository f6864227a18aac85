export { describeDeviceStore, type DescribeDeviceStoreOptions } from "./describe-device-store.ts";
export { createMemoryStore } from "./memory-store.ts";
