/** When a page counts as idle: nobody has touched it for a moment, or nobody sees it. */
import type { Clock, Timer } from "@tributary/core";
import type { Device } from "../device.ts";

/** How long a person has to be still. */
const STILL_MS = 3000;

const TOUCHES = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"] as const;

/** The same device; while it takes part "idle" it is told whenever the page becomes idle or busy. */
export function withIdleness(device: Device, clock: Pick<Clock, "schedule">): Device {
  let stopFollowing: (() => void) | undefined;
  const stop = (): void => {
    stopFollowing?.();
    stopFollowing = undefined;
  };
  return {
    ...device,
    async participate(request) {
      stop();
      if (request.when === "idle") stopFollowing = followIdleness(device, clock);
      await device.participate(request);
    },
    async stopParticipating() {
      stop();
      await device.stopParticipating();
    },
    async close() {
      stop();
      await device.close();
    },
  };
}

/** Tells the device now and whenever idleness changes. The returned function ends it. */
function followIdleness(device: Pick<Device, "setIdle">, clock: Pick<Clock, "schedule">): () => void {
  let idle: boolean | undefined;
  let timer: Timer | undefined;
  const tell = (value: boolean): void => {
    if (value === idle) return;
    idle = value;
    // A worker that is gone hears it when it comes back.
    device.setIdle(value).catch(() => undefined);
  };
  const onTouch = (): void => {
    timer?.cancel();
    timer = clock.schedule(STILL_MS, () => tell(true));
    tell(false);
  };
  const onVisibility = (): void => {
    if (document.visibilityState === "hidden") tell(true);
    else onTouch();
  };
  onVisibility();
  for (const touch of TOUCHES) addEventListener(touch, onTouch, { passive: true, capture: true });
  document.addEventListener("visibilitychange", onVisibility);
  return () => {
    timer?.cancel();
    for (const touch of TOUCHES) removeEventListener(touch, onTouch, { capture: true });
    document.removeEventListener("visibilitychange", onVisibility);
  };
}
