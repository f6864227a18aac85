/**
 * Several tabs of one site are one device: same key, same examples. A Web Lock elects the tab that holds the control
 * connection and trains, for as long as it lives; the browser also keeps a tab that holds one from being frozen.
 */
import type { Device } from "../device.ts";

export interface TabLeader {
  readonly leading: boolean;
  /** Resolves when it is this tab's turn; never rejects. */
  readonly turn: Promise<void>;
}

/** Stands for election at once; the tabs lead in the order of their opening. */
export function electLeader(locks: Pick<LockManager, "request">, name: string): TabLeader {
  let leading = false;
  const turn = new Promise<void>((resolve) => {
    locks
      .request(name, () => {
        leading = true;
        resolve();
        return new Promise(() => {});
      })
      .catch(() => undefined); // only when this worker ends
  });
  return {
    get leading() {
      return leading;
    },
    turn,
  };
}

/** What tabs tell each other: this version of this model was verified and runs in one of them. */
interface Released {
  readonly model: string;
  readonly version: number;
}

/** Or that weights of the device's own were adopted there, or erased. */
interface Personal {
  readonly personal: string;
}

/** The same device; a version that begins to run in one tab is looked for at once in the others, and so are weights of its own. */
export function shareReleases(device: Device, channelName: string): Device {
  const channel = new BroadcastChannel(channelName);
  const running = new Map<string, number>();
  const unsubscribe = device.subscribe((event) => {
    if (event.type === "personal" && (event.change === "adopted" || event.change === "dropped")) {
      channel.postMessage({ personal: event.model } satisfies Personal);
    }
    if (event.type !== "running") return;
    running.set(event.model, event.version);
    channel.postMessage({ model: event.model, version: event.version } satisfies Released);
  });
  channel.addEventListener("message", ({ data }) => {
    if ("personal" in data) {
      const { personal } = data as Personal;
      if (running.has(personal)) device.personal(personal, { kind: "restore" }).catch(() => undefined);
      return;
    }
    const { model, version } = data as Released;
    const here = running.get(model);
    // A model that is not open here is none of our business; problems show as events.
    if (here !== undefined && here < version) device.refresh(model).catch(() => undefined);
  });
  return {
    ...device,
    async close() {
      unsubscribe();
      channel.close();
      await device.close();
    },
  };
}
