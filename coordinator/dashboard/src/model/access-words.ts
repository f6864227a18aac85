import type { AccessGrant, ApiTokenView } from "@tributary/api-client";
import { formatFull } from "../format/time.ts";

/** Every model, those to come included. */
export const ALL_MODELS = "*";

export const ROLES = [
  "viewer",
  "operator",
  "admin",
  "auditor",
] as const satisfies readonly AccessGrant["role"][];

/** What a role may, in short. */
export const ROLE_WORDS: Readonly<Record<AccessGrant["role"], string>> = {
  viewer: "looks",
  operator: "looks and changes",
  admin: "everything, access and keys too",
  auditor: "looks, and reads the audit log",
};

/** "operator of digits, viewer of all models". */
export function grantsWords(grants: readonly AccessGrant[]): string {
  return grants.length === 0
    ? "nothing"
    : grants.map(({ model, role }) => `${role} of ${model === ALL_MODELS ? "all models" : model}`).join(", ");
}

/** How long a session lasts without use: "8 hours", "30 minutes". */
export function idleWords(idleMs: number): string {
  const minutes = Math.max(1, Math.round(idleMs / 60_000));
  const [count, unit] = minutes % 60 === 0 ? [minutes / 60, "hour"] : [minutes, "minute"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** What a browser calls itself, in two words; all of it where it is none that is known. */
export function browserWords(agent: string): string {
  const browser = BROWSERS.find(([mark]) => agent.includes(mark))?.[1];
  const system = SYSTEMS.find(([mark]) => agent.includes(mark))?.[1];
  if (browser === undefined) return agent === "" ? "a program" : agent.slice(0, 40);
  return system === undefined ? browser : `${browser} on ${system}`;
}

// Each also names those after it.
const BROWSERS = [
  ["Edg", "Edge"],
  ["OPR/", "Opera"],
  ["Firefox/", "Firefox"],
  ["Chrome/", "Chrome"],
  ["Safari/", "Safari"],
] as const;
const SYSTEMS = [
  ["Android", "Android"],
  ["iPhone", "iPhone"],
  ["iPad", "iPad"],
  ["Mac OS", "macOS"],
  ["Windows", "Windows"],
  ["Linux", "Linux"],
] as const;

const DAY_MS = 86_400_000;

/** Whose a token is. */
export function tokenOwner({ account, session }: Pick<ApiTokenView, "account" | "session">): string {
  return account ?? (session === null ? "the coordinator" : `${session.name}, by the identity provider`);
}

/** Until when a token is good. */
export function tokenEnds(
  { expiresAt, session }: Pick<ApiTokenView, "expiresAt" | "session">,
  now: number,
): string {
  if (expiresAt === null) return "until it is revoked";
  if (session !== null && Date.parse(expiresAt) > now)
    return `until ${formatFull(expiresAt)}, with its browser's session`;
  const left = (Date.parse(expiresAt) - now) / DAY_MS;
  if (left <= 0) return "has ended";
  // The clocks are not quite the same.
  const days = Math.max(1, Math.round(left));
  return days === 1 ? "for a day" : `for ${days} days`;
}
