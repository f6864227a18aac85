/** What a page tells its device of the person: that they touch it, that they see it, and when it is idle. */
import type { Clock, Timer } from "@tributary/core";
import type { Device, ParticipateRequest } from "../device.ts";

/** How long a person has to be still until a page that trains "idle" is idle. */
const STILL_MS = 3000;
/** How long after a touch the page counts as quiet: a person who types or scrolls touches it more often. */
const QUIET_MS = 500;

const TOUCHES = ["pointerdown", "pointermove", "keydown", "wheel", "scroll"] as const;

/**
 * The same device; while it takes part, or trains for itself, it is told when the page is touched and when it is quiet again, so that no training step begins in
 * between, and with "idle" or "visible" whether it may train at all. A touch costs the page a comparison, and at most two messages a
 * second.
 */
export function withIdleness(device: Device, clock: Pick<Clock, "schedule" | "monotonicMs">): Device {
  let stop: () => void = () => {};
  return {
    ...device,
    participate(request) {
      stop();
      stop = followPage(device, clock, request.when);
      return device.participate(request);
    },
    async personal(...call) {
      const end = call[1].kind === "train" ? followPage(device, clock, "always") : undefined;
      try {
        return await device.personal(...call);
      } finally {
        end?.();
      }
    },
    stopParticipating() {
      stop();
      return device.stopParticipating();
    },
    forget(options) {
      stop();
      return device.forget(options);
    },
    close() {
      stop();
      return device.close();
    },
  };
}

/** Tells the device now and on every change. The returned function ends it. */
function followPage(
  device: Pick<Device, "setBusy" | "setIdle">,
  clock: Pick<Clock, "schedule" | "monotonicMs">,
  when: ParticipateRequest["when"],
): () => void {
  let quiet: Timer | undefined;
  let still: Timer | undefined;
  let touchedAtMs = 0;
  let told: boolean | undefined;
  // A worker that is gone hears it when it comes back.
  const ignore = (): void => {};
  const tellBusy = (busy: boolean): void => void device.setBusy(busy).catch(ignore);
  const tellIdle = (idle: boolean): void => {
    if (idle !== told) device.setIdle((told = idle)).catch(ignore);
  };
  // One timer for all touches: it goes on where another came meanwhile.
  const settle = (): void => {
    const leftMs = touchedAtMs + QUIET_MS - clock.monotonicMs();
    quiet = leftMs > 0 ? clock.schedule(leftMs, settle) : undefined;
    // Said again while it lasts: who hears it in another tab would not hear of a page that is closed.
    tellBusy(quiet !== undefined);
  };
  const waitForStillness = (): void => {
    still?.cancel();
    still = clock.schedule(STILL_MS, () => tellIdle(true));
    tellIdle(false);
  };
  const onTouch = (): void => {
    touchedAtMs = clock.monotonicMs();
    if (when === "idle") waitForStillness();
    if (quiet !== undefined) return;
    quiet = clock.schedule(QUIET_MS, settle);
    tellBusy(true);
  };
  const onVisibility = (): void => {
    const isHidden = document.visibilityState === "hidden";
    if (when === "visible") tellIdle(!isHidden);
    else if (isHidden) tellIdle(true);
    else waitForStillness();
  };
  for (const touch of TOUCHES) addEventListener(touch, onTouch, { passive: true, capture: true });
  if (when !== "always") {
    onVisibility();
    document.addEventListener("visibilitychange", onVisibility);
  }
  return () => {
    still?.cancel();
    for (const touch of TOUCHES) removeEventListener(touch, onTouch, { capture: true });
    document.removeEventListener("visibilitychange", onVisibility);
    if (quiet === undefined) return;
    quiet.cancel();
    quiet = undefined;
    tellBusy(false);
  };
}
