/** What a page tells its device of the person: that they touch it, that they see it, and when it is idle. */
import type { Clock, Timer } from "@tributary/core";
import type { Device } from "../device.ts";

/** How long a person has to be still until a page that trains "idle" is idle. */
const STILL_MS = 3000;
/** How long after a touch the page counts as quiet: a person who types or scrolls touches it more often. */
const QUIET_MS = 500;

const TOUCHES = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart", "scroll"] as const;

/**
 * The same device; while it takes part it is told when the page is touched and when it is quiet again, so that no training step begins in
 * between, and with "idle" or "visible" whether it may train at all. A touch costs the page a comparison, and at most two messages a
 * second.
 */
export function withIdleness(device: Device, clock: Pick<Clock, "schedule" | "monotonicMs">): Device {
  let stopFollowing: (() => void) | undefined;
  const stop = (): void => {
    stopFollowing?.();
    stopFollowing = undefined;
  };
  return {
    ...device,
    async participate(request) {
      stop();
      const following = [followTouches(device, clock)];
      if (request.when === "idle") following.push(followIdleness(device, clock));
      if (request.when === "visible") following.push(followVisibility(device));
      stopFollowing = () => following.forEach((end) => end());
      await device.participate(request);
    },
    async stopParticipating() {
      stop();
      await device.stopParticipating();
    },
    async forget(options) {
      stop();
      return await device.forget(options);
    },
    async close() {
      stop();
      await device.close();
    },
  };
}

/** Tells the device when the page is touched, and when it was not for a moment. The returned function ends it. */
function followTouches(
  device: Pick<Device, "setBusy">,
  clock: Pick<Clock, "schedule" | "monotonicMs">,
): () => void {
  let timer: Timer | undefined;
  let touchedAtMs = 0;
  const tell = (busy: boolean): void => {
    // A worker that is gone hears it when it comes back.
    device.setBusy(busy).catch(() => undefined);
  };
  // One timer for all touches: it goes on where another came meanwhile.
  const settle = (): void => {
    const leftMs = touchedAtMs + QUIET_MS - clock.monotonicMs();
    timer = leftMs > 0 ? clock.schedule(leftMs, settle) : undefined;
    // Said again while it lasts: who hears it in another tab would not hear of a page that is closed.
    tell(timer !== undefined);
  };
  const onTouch = (): void => {
    touchedAtMs = clock.monotonicMs();
    if (timer !== undefined) return;
    timer = clock.schedule(QUIET_MS, settle);
    tell(true);
  };
  const unlisten = listenToTouches(onTouch);
  return () => {
    unlisten();
    if (timer === undefined) return;
    timer.cancel();
    tell(false);
  };
}

/** Tells the device now and whenever idleness changes: nobody has touched the page for a moment, or nobody sees it. */
function followIdleness(device: Pick<Device, "setIdle">, clock: Pick<Clock, "schedule">): () => void {
  let timer: Timer | undefined;
  const tell = telling(device);
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
  const unlisten = listenToTouches(onTouch);
  document.addEventListener("visibilitychange", onVisibility);
  return () => {
    timer?.cancel();
    unlisten();
    document.removeEventListener("visibilitychange", onVisibility);
  };
}

/** Tells the device now and whenever it changes whether the page is seen. */
function followVisibility(device: Pick<Device, "setIdle">): () => void {
  const tell = telling(device);
  const onVisibility = (): void => tell(document.visibilityState === "visible");
  onVisibility();
  document.addEventListener("visibilitychange", onVisibility);
  return () => document.removeEventListener("visibilitychange", onVisibility);
}

/** Changes alone are told. */
function telling(device: Pick<Device, "setIdle">): (value: boolean) => void {
  let told: boolean | undefined;
  return (value) => {
    if (value === told) return;
    told = value;
    device.setIdle(value).catch(() => undefined);
  };
}

function listenToTouches(onTouch: () => void): () => void {
  for (const touch of TOUCHES) addEventListener(touch, onTouch, { passive: true, capture: true });
  return () => {
    for (const touch of TOUCHES) removeEventListener(touch, onTouch, { capture: true });
  };
}
