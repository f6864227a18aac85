import { tableLines, type TableColumn } from "../table.ts";

/** A record as it is shown; one that was edited may say anything. */
export interface ShownRecord {
  readonly index: number;
  readonly at: string;
  readonly actor: { readonly kind: string; readonly [field: string]: unknown };
  readonly action: string;
  readonly object: Readonly<Record<string, unknown>>;
  readonly detail: Readonly<Record<string, unknown>>;
}

const COLUMNS: readonly TableColumn<ShownRecord>[] = [
  { title: "record", align: "right", cell: ({ index }) => String(index) },
  { title: "at", cell: ({ at }) => at },
  { title: "by", cell: ({ actor }) => actorText(actor) },
  { title: "action", cell: ({ action }) => action },
  { title: "of", cell: ({ object }) => fieldsText(object) },
  { title: "detail", cell: ({ detail }) => fieldsText(detail) },
];

export function recordLines(records: readonly ShownRecord[]): string[] {
  return records.length === 0 ? ["no records"] : tableLines(COLUMNS, records);
}

/** "operator ada", "operator files", "coordinator task digits". */
function actorText({ kind, ...more }: ShownRecord["actor"]): string {
  if (typeof more["name"] === "string") return `${kind} ${more["name"]}`;
  const rest = Object.entries(more).map(([field, value]) =>
    field === "via" ? String(value) : `${field} ${String(value)}`,
  );
  return [kind, ...rest].join(" ");
}

/** Digests are long: what names one is enough to find it. */
const DIGEST = /^[0-9a-f]{64}$/;

function fieldsText(fields: Readonly<Record<string, unknown>>): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== null)
    .map(([field, value]) => `${field} ${shown(value)}`)
    .join(", ");
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return value.map(shown).join(" ");
  if (typeof value !== "string") return JSON.stringify(value);
  return DIGEST.test(value) ? value.slice(0, 12) : value;
}
