import type { ModelView, VersionView } from "@tributary/api-client";
import type { ReleaseState } from "./release-state.ts";
import type { TableColumn } from "../table.ts";

/** What a model's versions are called, and the channels that point to them. */
export function namesOf({
  channels,
  aliases,
}: Pick<ModelView, "channels" | "aliases">): ReadonlyMap<number, readonly string[]> {
  const names = new Map<number, string[]>();
  for (const { name, version } of [...channels, ...aliases])
    names.set(version, [...(names.get(version) ?? []), name]);
  return names;
}

interface Release extends ReleaseState {
  /** Versions that can be downloaded. */
  readonly offered: ReadonlySet<number>;
}

/** A version, where it came from and how it was measured. */
export function versionColumns(
  names: ReadonlyMap<number, readonly string[]>,
  release: Release,
): readonly TableColumn<VersionView>[] {
  return [
    { title: "version", cell: ({ version }) => String(version), align: "right" },
    { title: "from", cell: ({ parentVersion }) => String(parentVersion ?? "-"), align: "right" },
    { title: "made by", cell: ({ lineage, roundId }) => madeBy(lineage) ?? roundId ?? "published" },
    { title: "updates", cell: ({ cohort }) => String(cohort), align: "right" },
    { title: "examples", cell: ({ numExamples }) => String(numExamples), align: "right" },
    { title: "loss", cell: ({ loss }) => loss?.toFixed(4) ?? "-", align: "right" },
    { title: "accuracy", cell: accuracyOf },
    { title: "names", cell: ({ version }) => names.get(version)?.join(" ") ?? "" },
    { title: "state", cell: ({ version }) => stateOf(version, release).join(", ") },
  ];
}

function stateOf(version: number, { channels, offered, withdrawn }: Release): string[] {
  const unsigned = channels.filter((channel) => channel.version === version && !channel.signed);
  return [
    ...(offered.has(version) ? [] : ["retired"]),
    ...(withdrawn.has(version) ? ["withdrawn"] : []),
    ...unsigned.map(({ name }) => `${name} waits for signatures`),
  ];
}

function madeBy(lineage: VersionView["lineage"]): string | undefined {
  if (lineage === null) return undefined;
  const by = lineage.madeBy;
  return by.kind === "task" ? `task ${by.task}` : "operator";
}

/** With its interval where one is known. */
function accuracyOf({ accuracy, lineage }: VersionView): string {
  if (accuracy === null) return "-";
  const interval = lineage?.intervals["accuracy"];
  const bounds =
    interval === undefined ? "" : ` (${interval.lower.toFixed(4)} to ${interval.upper.toFixed(4)})`;
  return `${accuracy.toFixed(4)}${bounds}`;
}
