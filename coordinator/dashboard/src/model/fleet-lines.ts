import type { DeviceFilter, DeviceView, FleetHistoryView, FleetView } from "@tributary/api-client";

/** How long ago devices were seen last, as the page asks. */
export const SEEN = {
  hour: { title: "in the last hour", hours: 1 },
  day: { title: "in the last day", hours: 24 },
  week: { title: "in the last 7 days", hours: 168 },
  gone: { title: "not for 7 days", hours: -168 },
} as const;
export type Seen = keyof typeof SEEN;

/** What the list of devices is narrowed to, as it stands in the address. */
export const FILTER_KEYS = [
  "population",
  "state",
  "tag",
  "software",
  "model",
  "version",
  "engine",
  "seen",
  "search",
] as const;
export type FilterKey = (typeof FILTER_KEYS)[number];

/** What is looked for, from the address. What cannot be is left out: an address may be of another day. */
export function deviceFilter(params: URLSearchParams, nowMs: number): DeviceFilter {
  const text = (key: FilterKey): string | undefined => params.get(key) ?? undefined;
  const model = text("model");
  const version = Number(text("version"));
  const state = text("state") as DeviceView["state"] | undefined;
  const seen = text("seen");
  const search = text("search")?.toLowerCase();
  const filter: Record<string, unknown> = {
    population: text("population"),
    tag: text("tag"),
    software: text("software"),
    model,
    engine: model === undefined ? undefined : text("engine"),
    version: model !== undefined && Number.isInteger(version) && version > 0 ? version : undefined,
    state: state !== undefined && Object.hasOwn(DEVICE_STATES, state) ? state : undefined,
    search: search !== undefined && /^[0-9a-f]{1,32}$/.test(search) ? search : undefined,
    ...seenRange(seen, nowMs),
  };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

/** To the minute, so that the same question is not a new one each second. */
function seenRange(seen: string | undefined, nowMs: number): Pick<DeviceFilter, "seenSince" | "seenBefore"> {
  if (seen === undefined || !Object.hasOwn(SEEN, seen)) return {};
  const { hours } = SEEN[seen as Seen];
  const at = new Date(Math.floor(nowMs / 60_000) * 60_000 - Math.abs(hours) * 3_600_000).toISOString();
  return hours > 0 ? { seenSince: at } : { seenBefore: at };
}

export const DEVICE_STATES: Readonly<Record<DeviceView["state"], string>> = {
  active: "active",
  revoked: "revoked",
  readmitted: "may enrol again",
};

/** What runs on a device, in a line. */
export function runsOn({ versions }: Pick<DeviceView, "versions">): string {
  return versions
    .map(({ model, version, engine }) => `${model} ${version}${engine === null ? "" : `, ${engine}`}`)
    .join("; ");
}

/** A group of devices, and how they are looked for in the list. */
export interface FleetGroup {
  readonly key: string;
  readonly title: string;
  readonly devices: number;
  readonly filter: Partial<Record<FilterKey, string>>;
}

/** The groups of one kind. */
export interface FleetGroups {
  readonly title: string;
  /** Where there is none. */
  readonly none: string;
  readonly groups: readonly FleetGroup[];
}

/** By version and engine of a model, by software and by tag. */
export function fleetGroups(fleet: FleetView, model: string | undefined): readonly FleetGroups[] {
  const ofModel = <Row extends { readonly model: string }>(rows: readonly Row[]): readonly Row[] =>
    rows.filter((row) => row.model === model);
  return [
    {
      title: "By version",
      none: "No device told which version it runs.",
      groups: ofModel(fleet.versions)
        .toSorted((a, b) => b.version - a.version)
        .map(({ version, devices }) => ({
          key: String(version),
          title: `version ${version}`,
          devices,
          filter: { model: model!, version: String(version) },
        })),
    },
    {
      title: "By engine",
      none: "Apps let their devices tell with createRuntime({ deviceHealth }).",
      groups: ofModel(fleet.engines).flatMap(({ engine, devices }) =>
        engine === null
          ? [{ key: "", title: "not told", devices, filter: {} }]
          : [{ key: engine, title: engine, devices, filter: { model: model!, engine } }],
      ),
    },
    {
      title: "By software",
      none: "No device was there in the last 30 days.",
      groups: fleet.software.map(({ software, devices }) => ({
        key: software ?? "",
        title: software ?? "not connected yet",
        devices,
        filter: software === null ? {} : { software },
      })),
    },
    {
      title: "By tag",
      none: "Tags are words in the tokens that the app's backend mints.",
      groups: fleet.tags.map(({ tag, devices }) => ({ key: tag, title: tag, devices, filter: { tag } })),
    },
  ];
}

/** One point of the history of versions, for a table. */
export interface AdoptionRow {
  readonly at: string;
  readonly devices: readonly number[];
  readonly others: number;
}

/** Layers of the history, the oldest version lowest; what is in no line of its own below all. */
export function adoptionLayers({ versions, adoption }: Pick<FleetHistoryView, "versions" | "adoption">) {
  const others = adoption.some((point) => point.others > 0)
    ? [{ label: "others", color: "var(--line-strong)", values: adoption.map((point) => point.others) }]
    : [];
  return [
    ...others,
    ...versions.map((version, i) => ({
      label: `version ${version}`,
      color: layerColor(i, versions.length),
      values: adoption.map(({ devices }) => devices[i] ?? 0),
    })),
  ];
}

/** The newer, the stronger. */
function layerColor(index: number, count: number): string {
  const share = count === 1 ? 100 : Math.round(25 + (75 * index) / (count - 1));
  return `color-mix(in oklab, var(--series-1) ${share}%, var(--accent-soft))`;
}

/** What screen readers hear of the drawing. */
export function adoptionSummary({
  versions,
  adoption,
}: Pick<FleetHistoryView, "versions" | "adoption">): string {
  const last = adoption.at(-1);
  if (last === undefined) return "Versions over time: nothing was noted yet";
  const now = versions.map((version, i) => `version ${version} on ${last.devices[i]}`).join(", ");
  return `Versions over time, at the end ${now}; the figures are in the table`;
}
