import { outsideRequest } from "./logging/request-context.ts";

/** For what a request, or a message, only sets off: it goes on after its answer, and its lines are not that request's. */
export function detached<T>(run: () => T): T {
  return outsideRequest(run);
}
