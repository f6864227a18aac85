import type { VersionView } from "@tributary/api-client";

/** One row of the lineage, newest version first. Lanes count from 0 on the left. */
export interface LineageRow {
  readonly version: VersionView;
  /** The version it came from, where that is in the list. */
  readonly parent: VersionView | undefined;
  readonly lane: number;
  /** Lanes of newer versions that pass this row. */
  readonly passing: readonly number[];
  /** Lanes of children that come down into this version. */
  readonly children: readonly number[];
  /** Whether the line goes on below, to a parent further down. */
  readonly continues: boolean;
}

/**
 * Lays versions out as a tree: a version stands in the lane of its newest child, and a second child of the same
 * parent (after a roll-back) gets a lane of its own. Drawn from the newest down, as `git log --graph` does.
 */
export function lineage(versions: readonly VersionView[]): readonly LineageRow[] {
  const sorted = versions.toSorted((a, b) => b.version - a.version);
  const byNumber = new Map(sorted.map((version) => [version.version, version]));
  /** The parent each lane leads down to. */
  const lanes: (number | null)[] = [];
  return sorted.map((version) => {
    const children = lanes.flatMap((awaited, lane) => (awaited === version.version ? [lane] : []));
    const free = lanes.indexOf(null);
    const lane = children[0] ?? (free === -1 ? lanes.length : free);
    const passing = lanes.flatMap((awaited, other) =>
      awaited !== null && awaited !== version.version ? [other] : [],
    );
    for (const child of children) lanes[child] = null;
    const parent = version.parentVersion === null ? undefined : byNumber.get(version.parentVersion);
    lanes[lane] = version.parentVersion;
    return { version, parent, lane, passing, children, continues: version.parentVersion !== null };
  });
}
