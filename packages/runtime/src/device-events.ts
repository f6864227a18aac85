import { toFailure, type Clock, type ErrorCode, type Logger } from "@tributary/core";
import type { RuntimeEvent } from "./runtime.ts";

type WithoutTime<T> = T extends unknown ? Omit<T, "at"> : never;

/** An event before it is stamped. */
export type EventBody = WithoutTime<RuntimeEvent>;

/** Where the parts of a device say what happens. */
export interface DeviceEvents {
  emit(event: EventBody): void;
  /** Something went wrong and the device goes on. */
  problem(error: unknown, otherwise?: ErrorCode): void;
  subscribe(listener: (event: RuntimeEvent) => void): () => void;
}

export function createDeviceEvents(clock: Clock, log: Logger): DeviceEvents {
  const listeners = new Set<(event: RuntimeEvent) => void>();
  const emit = (body: EventBody): void => {
    const event = { ...body, at: clock.now() } as RuntimeEvent;
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        log.error("a listener failed", { event: event.type, error: toFailure(error) });
      }
    }
  };
  return {
    emit,
    problem(error, otherwise = "core/internal") {
      const { code, message, retryable } = toFailure(error, otherwise);
      log.warn("problem", { code, message });
      emit({ type: "problem", code, message, retryable });
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
