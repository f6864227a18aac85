import type { Clock, Timer } from "@tributary/core";
import type { Device } from "../device.ts";

interface Touched {
  readonly tab: string;
  readonly busy: boolean;
}

/** Longer than a page that is touched waits until it says so again. */
const FORGOTTEN_MS = 1500;

/** The same device; a touch of one tab holds up training in all: the tab that trains need not be the one that is used. */
export function shareTouches(device: Device, channelName: string, clock: Pick<Clock, "schedule">): Device {
  const channel = new BroadcastChannel(channelName);
  const tab = crypto.randomUUID();
  /** Tabs that are touched; of others with the time after which they are not there any more. */
  const touched = new Map<string, Timer | undefined>();

  const note = (from: string, busy: boolean): void => {
    touched.get(from)?.cancel();
    if (!busy) touched.delete(from);
    else if (from === tab) touched.set(from, undefined);
    else
      touched.set(
        from,
        clock.schedule(FORGOTTEN_MS, () => change(from, false)),
      );
  };
  const change = (from: string, busy: boolean): void => {
    const before = touched.size > 0;
    note(from, busy);
    if (touched.size > 0 !== before) device.setBusy(touched.size > 0).catch(() => undefined);
  };
  channel.addEventListener("message", ({ data }) => {
    const { tab: from, busy } = data as Touched;
    change(from, busy);
  });
  return {
    ...device,
    async setBusy(busy) {
      channel.postMessage({ tab, busy } satisfies Touched);
      note(tab, busy);
      await device.setBusy(touched.size > 0);
    },
    async close() {
      channel.close();
      for (const timer of touched.values()) timer?.cancel();
      await device.close();
    },
  };
}
