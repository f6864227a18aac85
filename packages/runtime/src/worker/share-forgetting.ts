import type { Device } from "../device.ts";

/** The same device; what is forgotten in one tab is forgotten in all: each has keys in memory. */
export function shareForgetting(device: Device, channelName: string): Device {
  const channel = new BroadcastChannel(channelName);
  // Its coordinator was told, and its stores are empty: what this tab still holds goes.
  channel.addEventListener("message", () => {
    device.forget({}).catch(() => undefined); // events tell what fails there
  });
  return {
    ...device,
    async forget(options) {
      const erasure = await device.forget(options);
      channel.postMessage("forgotten");
      return erasure;
    },
    async close() {
      channel.close();
      await device.close();
    },
  };
}
