import { context, ROOT_CONTEXT } from "@opentelemetry/api";
import { outsideRequest } from "./logging/request-context.ts";

/** For what a request, or a message, only sets off: it goes on after its answer, and its lines and spans are not that request's. */
export function detached<T>(run: () => T): T {
  return outsideRequest(() => context.with(ROOT_CONTEXT, run));
}
