import type { AuditFilter } from "@tributary/api-client";

/** What can be looked for; the address holds what is. */
export const FILTERS = ["actor", "action", "model", "task", "device", "since", "until"] as const;
export type FilterName = (typeof FILTERS)[number];

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** The filter that an address names. What is none is left out: the coordinator would refuse it. */
export function auditFilter(search: URLSearchParams): AuditFilter {
  const filter: Record<string, string> = {};
  for (const name of FILTERS) {
    const value = search.get(name)?.trim() ?? "";
    if (value === "") continue;
    if (name !== "since" && name !== "until") filter[name] = value;
    // A day, in the time zone of whoever looks; `until` takes it in.
    else if (DAY.test(value)) filter[name] = midnight(value, name === "until" ? 1 : 0);
  }
  return filter as AuditFilter;
}

function midnight(day: string, later: number): string {
  const [year = 0, month = 1, date = 1] = day.split("-").map(Number);
  return new Date(year, month - 1, date + later).toISOString();
}
