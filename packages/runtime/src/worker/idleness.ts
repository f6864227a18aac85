import type { Clock } from "@tributary/core";
import type { Device, ParticipateRequest } from "../device.ts";
import { rarerCalls } from "../rarer.ts";

/**
 * The same device; while it takes part, or trains for itself, it is told when the page is touched and when it is quiet again, so that
 * no training step begins in between, and with "idle" or "visible" whether it may train at all. A touch costs the page a comparison, and
 * at most two messages a second.
 */
export function withIdleness(device: Device, clock: Pick<Clock, "schedule" | "monotonicMs">): Device {
  let stop: () => void = () => {};
  /** Beside what is asked, which may not wait: consent that ends meanwhile has to come after it. */
  const follow = (when: ParticipateRequest["when"]): (() => void) => {
    let ended = false;
    let end = (): void => {};
    rarerCalls.load().then(
      ({ followPage }) => {
        if (!ended) end = followPage(device, clock, when);
      },
      () => undefined, // what trains is a script of its own, which is not there either
    );
    return () => {
      ended = true;
      end();
    };
  };
  return {
    ...device,
    participate(request) {
      stop();
      stop = follow(request.when);
      return device.participate(request);
    },
    async personal(...call) {
      const end = call[1].kind === "train" ? follow("always") : undefined;
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
