import type { ModelView, VersionView, WithdrawnVersionView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useEffect, useMemo, useRef } from "react";
import { Link } from "wouter";
import { versionHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import type { useVersions } from "../../data/use-pages.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatBytes, formatCount, formatLoss, formatShare } from "../../format/numbers.ts";
import { formatAgo, formatFull, formatMs } from "../../format/time.ts";
import { releaseWord } from "../../model/gate-lines.ts";
import { lineage, type LineageRow } from "../../model/lineage.ts";
import { Loaded } from "../../ui/loaded.tsx";
import { Change } from "../../view/change.tsx";
import { LineageRail } from "./lineage-rail.tsx";
import { ReleaseButton } from "./release-button.tsx";

const ROW_HEIGHT = 104;
const OVERSCAN = 6;

interface Props {
  readonly model: ModelView;
  readonly versions: ReturnType<typeof useVersions>;
  /** The one whose card is shown. */
  readonly chosen: number;
}

/** The versions of a model and where each came from: a family tree, the newest at its top. */
export function VersionsCard({ model, versions, chosen }: Props): ReactNode {
  const { queries } = useDashboard();
  const push = useQuery(queries.push()).data ?? null;
  const { data: withdrawals = [] } = useQuery(queries.withdrawals(model.name));
  return (
    <section className="card" aria-labelledby="versions-title" data-testid="versions">
      <div className="card-head">
        <h2 id="versions-title">Versions</h2>
        <span className="quiet">{formatCount(model.versions)}</span>
      </div>
      <Loaded query={versions}>
        {(list) => (
          <Tree
            model={model}
            versions={list}
            withdrawals={withdrawals}
            chosen={chosen}
            onEnd={
              versions.hasNextPage && !versions.isFetchingNextPage
                ? () => void versions.fetchNextPage()
                : undefined
            }
          />
        )}
      </Loaded>
      {push !== null && (
        <p className="quiet push" data-testid="push">
          Devices ran a new version {formatMs(push.p50Ms)} after its push (median), 99 % of them within{" "}
          {formatMs(push.p99Ms)}.
        </p>
      )}
    </section>
  );
}

interface TreeProps {
  readonly model: ModelView;
  readonly versions: readonly VersionView[];
  readonly withdrawals: readonly WithdrawnVersionView[];
  readonly chosen: number;
  readonly onEnd: (() => void) | undefined;
}

function Tree({ model, versions, withdrawals, chosen, onEnd }: TreeProps): ReactNode {
  const scroller = useRef<HTMLElement>(null);
  const now = useServerNow(5_000);
  const rows = useMemo(() => lineage(versions), [versions]);
  const lanes = useMemo(
    () => rows.reduce((most, row) => Math.max(most, row.lane, ...row.passing), 0) + 1,
    [rows],
  );
  // What it gives is used here alone, and nothing of it is kept.
  // oxlint-disable-next-line react/incompatible-library
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (i) => rows[i]!.version.version,
    overscan: OVERSCAN,
  });
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (last >= rows.length - OVERSCAN) onEnd?.();
  }, [last, rows.length, onEnd]);
  return (
    // The tree may be longer than its place: it scrolls, in every browser by keyboard too.
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <section ref={scroller} className="tree" tabIndex={0} aria-label="Versions, newest first">
      <ol className="versions" style={{ height: virtual.getTotalSize() }}>
        {items.map(({ index, start }) => {
          const row = rows[index]!;
          const { version } = row.version;
          const withdrawn = withdrawals.find((each) => each.version === version);
          return (
            <li
              key={version}
              className="version"
              aria-posinset={index + 1}
              aria-setsize={model.versions}
              style={{ height: ROW_HEIGHT, transform: `translateY(${start}px)` }}
              data-testid="version-row"
              data-version={version}
              data-current={version === model.currentVersion || undefined}
              data-chosen={version === chosen || undefined}
            >
              <LineageRail
                row={row}
                lanes={lanes}
                height={ROW_HEIGHT}
                last={index === rows.length - 1}
                mark={
                  withdrawn !== undefined
                    ? "withdrawn"
                    : version === model.currentVersion
                      ? "current"
                      : undefined
                }
              />
              <VersionText row={row} model={model} withdrawn={withdrawn} chosen={chosen} now={now} />
            </li>
          );
        })}
      </ol>
    </section>
  );
}

interface TextProps {
  readonly row: LineageRow;
  readonly model: ModelView;
  readonly withdrawn: WithdrawnVersionView | undefined;
  readonly chosen: number;
  readonly now: number;
}

function VersionText({ row, model, withdrawn, chosen, now }: TextProps): ReactNode {
  const { version, parent } = row;
  const { currentVersion: current, releasedVersion: released } = model;
  const word = releaseWord(version, released);
  const names = [...model.channels, ...model.aliases].filter((each) => each.version === version.version);
  return (
    <div className="version-text">
      <p className="version-head">
        <Link
          className="version-name"
          href={versionHref(model.name, version.version)}
          replace
          aria-current={version.version === chosen ? "true" : undefined}
        >
          Version {version.version}
        </Link>
        {version.version === current && <span className="pill pill-small">current</span>}
        {/* Where the newest is what runs, one word is enough. */}
        {word !== undefined && current !== released && (
          <span className="pill pill-small" data-testid="release-word">
            {word}
          </span>
        )}
        {names.map(({ name }) => (
          <span className="pill pill-name" key={name}>
            {name}
          </span>
        ))}
        {withdrawn !== undefined && (
          <span className="pill" data-state="failed" title={withdrawn.reason}>
            withdrawn
          </span>
        )}
        <time dateTime={version.createdAt} title={formatFull(version.createdAt)}>
          {formatAgo(Date.parse(version.createdAt), now)}
        </time>
      </p>
      <Scores version={version} parent={parent} />
      <div className="version-foot">
        <p className="version-more">
          {origin(row)}
          {version.cohort > 0 && `, ${formatCount(version.cohort)} reports`}; {formatBytes(version.sizeBytes)}{" "}
          float32, {formatBytes(version.int8SizeBytes)} int8{" "}
          <code title={`SHA-256 of the float32 weights: ${version.weightsDigest}`}>
            {version.weightsDigest.slice(0, 10)}
          </code>
        </p>
        {word !== undefined && word !== "released" && withdrawn === undefined && (
          <ReleaseButton model={version.model} version={version.version} from={released} />
        )}
      </div>
    </div>
  );
}

function origin({ version: { roundId, parentVersion } }: LineageRow): string {
  const from = parentVersion === null ? "published" : `from version ${parentVersion}`;
  return roundId === null ? from : `${from}, round ${roundId}`;
}

function Scores({ version, parent }: Pick<LineageRow, "version" | "parent">): ReactNode {
  if (version.accuracy === null && version.loss === null) {
    return <p className="version-scores quiet">not measured on held-out data</p>;
  }
  return (
    <p className="version-scores">
      <span>
        {formatShare(version.accuracy)}{" "}
        <Change kind="accuracy" from={parent?.accuracy} to={version.accuracy} />
      </span>
      <span>
        loss {formatLoss(version.loss)} <Change kind="loss" from={parent?.loss} to={version.loss} />
      </span>
    </p>
  );
}
