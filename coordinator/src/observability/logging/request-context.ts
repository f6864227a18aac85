import { AsyncLocalStorage } from "node:async_hooks";
import type { LogFields } from "@tributary/core";

/** The request that is being answered, wherever its answer is made. */
const storage = new AsyncLocalStorage<LogFields>();

/** What all lines written while a request is answered have. */
export function requestFields(): LogFields | undefined {
  return storage.getStore();
}

export function withinRequest<T>(fields: LogFields, run: () => T): T {
  return storage.run(fields, run);
}

/** For what a request only sets off: a round that its last upload completes is not part of that upload. */
export function outsideRequest<T>(run: () => T): T {
  return storage.exit(run);
}
