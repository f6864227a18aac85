import type { OrtModule } from "./ort-web-entry.ts";

/** The part of WebGPU's `GPUDevice` that is used. */
interface Device {
  readonly lost: Promise<{ readonly reason?: string; readonly message?: string }>;
}

/** The GPU device that onnxruntime made for this realm. The browser may take it away at any time. */
export interface GpuDevice {
  /** Called after a session was made: onnxruntime makes a device where it has none. */
  follow(): Promise<void>;
  /** What the browser said when the device was lost; undefined while it is there. */
  lost(): Promise<string | undefined>;
}

export function followGpuDevice(ort: OrtModule): GpuDevice {
  let followed: Device | undefined;
  let lost: string | undefined;
  return {
    async follow() {
      const device = (await ort.env.webgpu.device) as unknown as Device | undefined;
      if (device === undefined || device === followed) return;
      followed = device;
      lost = undefined;
      void device.lost.then(({ reason = "unknown", message = "" }) => {
        if (followed === device) lost = message === "" ? reason : `${reason}: ${message}`;
      });
    },
    async lost() {
      // A run may fail in the same task in which the loss becomes known.
      await new Promise<void>((resolve) => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
          port1.close();
          resolve();
        };
        port2.postMessage(null);
      });
      return lost;
    },
  };
}
