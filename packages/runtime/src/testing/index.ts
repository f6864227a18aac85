export { describeBlobCache, type DescribeBlobCacheOptions } from "./describe-blob-cache.ts";
export { describeDeviceStore, type DescribeDeviceStoreOptions } from "./describe-device-store.ts";
export { createMemoryStore } from "./memory-store.ts";
