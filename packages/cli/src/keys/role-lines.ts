import type { KeyRoleView } from "@tributary/api-client";
import { counted } from "../counted.ts";
import { tableLines } from "../table.ts";

/** Roles and their keys as a table, and what waits below it. */
export function roleLines(roles: readonly KeyRoleView[]): string[] {
  const table = tableLines<KeyRoleView>(
    [
      { title: "ROLE", cell: ({ role }) => role },
      { title: "VERSION", align: "right", cell: ({ version }) => (version === null ? "-" : String(version)) },
      { title: "EXPIRES", cell: expiry },
      { title: "THRESHOLD", align: "right", cell: ({ threshold, keys }) => `${threshold} of ${keys.length}` },
      { title: "KEYS", cell: ({ keys }) => keys.map(keyCell).join(" ") },
    ],
    roles,
  );
  const waiting = roles.flatMap((view) => (roles.length > 1 ? (waitingLine(view) ?? []) : []));
  return [...table, ...waiting];
}

function expiry({ expiresAt, expiresInDays }: KeyRoleView): string {
  if (expiresAt === null || expiresInDays === null) return "-";
  const day = expiresAt.slice(0, 10);
  return expiresInDays < 0 ? `${day} (expired)` : `${day} (${counted(expiresInDays, "day")})`;
}

function keyCell({ keyId, here }: KeyRoleView["keys"][number]): string {
  return `${keyId.slice(0, 12)}${here ? "" : " (elsewhere)"}`;
}

/** What a role's next version waits for; `undefined` where it waits for nothing. */
export function waitingLine({ role, waiting }: KeyRoleView): string | undefined {
  if (waiting === null) return undefined;
  const counts = waiting.signatures
    .map(({ have, need }) => `${have} of ${need}`)
    .join(", and of the keys before ");
  const what = waiting.reason === "renewal" ? "renewal" : "change";
  return `${role}: version ${waiting.version} (${what}) waits for signatures: ${counts}; tributary keys export ${role}`;
}
