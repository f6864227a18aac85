export { describeDeviceStore, type DescribeDeviceStoreOptions } from "./describe-device-store.ts";
