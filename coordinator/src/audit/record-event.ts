import type { AuditRecord } from "@tributary/protocol";
import type { BusTopics } from "../ports/bus.ts";

/**
 * That something was recorded: what was done, of which model or task, and not by whom nor how. It is not sent again: whoever was not
 * there reads what they look at anew.
 */
export function recordEvent({ at, action, object }: AuditRecord): BusTopics["event"] {
  const { model = null, task = null } = object;
  return { id: null, type: "record", data: { action, model, task }, at: Date.parse(at) };
}

/** Who may sign in, and who did: for auditors alone. */
export function isOfAccess(action: string): boolean {
  return /^(?:operator|api-token|session|login|token|backup)\./.test(action);
}
