import type { AuditRecordView } from "@tributary/api-client";

/** Who did what is recorded, in words. */
export function auditActor(actor: AuditRecordView["actor"]): string {
  switch (actor.kind) {
    case "operator":
      return actor.name === undefined ? VIA[actor.via] : `by ${actor.name}${vouched(actor.subject)}`;
    case "coordinator":
      return ["by itself", ...causes(actor)].join(", ");
    case "device":
      return "by the device itself";
  }
}

/** Of somebody who may be called like an account here. */
function vouched(subject: string | undefined): string {
  return subject === undefined ? "" : " (by the identity provider)";
}

const VIA = {
  http: "by an operator",
  files: "by an operator, in the data directory",
  process: "by whoever runs the coordinator",
} as const;

function causes(actor: Extract<AuditRecordView["actor"], { kind: "coordinator" }>): string[] {
  const { task, round, rollout } = actor;
  // A round's id begins with its task's name.
  if (round !== undefined) return [`in round ${round}`];
  return [
    ...(task === undefined ? [] : [`for task ${task}`]),
    ...(rollout === undefined ? [] : [`in rollout ${rollout}`]),
  ];
}

/** What it was done to: "digits, version 3". */
export function auditObject(object: AuditRecordView["object"]): string {
  const { model, device, round: _, ...more } = object;
  return [
    ...(model === undefined ? [] : [model]),
    ...Object.entries(more).map(([field, value]) => `${field} ${value}`),
    ...(device === undefined ? [] : [`device ${device.slice(0, 8)}`]),
  ].join(", ");
}

const DIGEST = /^[0-9a-f]{64}$/;

/** What else is recorded of it; a digest by what names it in short. */
export function auditDetail(detail: AuditRecordView["detail"]): string {
  return Object.entries(detail)
    .filter(([, value]) => value !== null)
    .map(([field, value]) => `${field} ${shown(value)}`)
    .join(", ");
}

function shown(value: unknown): string {
  if (typeof value === "number") return String(Number(value.toPrecision(4)));
  if (typeof value === "string") return DIGEST.test(value) ? value.slice(0, 10) : value;
  if (Array.isArray(value)) return value.map(shown).join(" ");
  if (typeof value !== "object" || value === null) return String(value);
  return "message" in value ? String(value.message) : `(${auditDetail(value as AuditRecordView["detail"])})`;
}

/** How far the log is signed. */
export function auditSigned(
  head: { readonly size: number },
  signed: { readonly size: number; readonly timestampVersion: number } | null,
): string {
  const records = `${head.size} ${head.size === 1 ? "record" : "records"}`;
  if (signed === null) return `${records}, none of them signed`;
  const by = `signed by timestamp ${signed.timestampVersion}`;
  return signed.size === head.size ? `${records}, ${by}` : `${records}, ${signed.size} of them ${by}`;
}
