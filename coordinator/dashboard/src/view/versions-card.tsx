import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo, useState } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { useServerNow } from "../data/use-server-now.ts";
import { formatBytes, formatCount, formatLoss, formatShare } from "../format/numbers.ts";
import { formatAgo, formatFull, formatMs } from "../format/time.ts";
import { lineage, type LineageRow } from "../model/lineage.ts";
import { releaseWord } from "../model/gate-lines.ts";
import { Change } from "./change.tsx";
import { LineageRail } from "./lineage-rail.tsx";
import { LoadError } from "../ui/load-error.tsx";
import { ReleaseButton } from "./release-button.tsx";
import { CardSkeleton } from "../ui/skeleton.tsx";

const FIRST_ROWS = 6;

interface Props {
  readonly model: string;
  readonly current: number;
}

/** The versions of a model and where each came from. */
export function VersionsCard({ model, current }: Props): ReactNode {
  const { queries } = useDashboard();
  const versions = useQuery(queries.versions(model));
  const released =
    useQuery(queries.models()).data?.find(({ name }) => name === model)?.releasedVersion ?? current;
  const push = useQuery(queries.status()).data?.push ?? null;
  const [shown, setShown] = useState(FIRST_ROWS);
  const now = useServerNow(5_000);
  const rows = useMemo(() => lineage(versions.data ?? []), [versions.data]);
  const lanes = rows.slice(0, shown).reduce((most, row) => Math.max(most, row.lane, ...row.passing), 0) + 1;
  return (
    <section className="card" aria-labelledby="versions-title" data-testid="versions">
      <h2 id="versions-title">Versions</h2>
      {versions.data === undefined &&
        (versions.isError ? (
          <LoadError error={versions.error} retry={() => void versions.refetch()} />
        ) : (
          <CardSkeleton />
        ))}
      {versions.data !== undefined && rows.length === 0 && <p className="quiet">None published yet.</p>}
      <ol className="versions">
        {rows.slice(0, shown).map((row, i) => (
          <li
            key={row.version.version}
            className="version"
            data-testid="version-row"
            data-version={row.version.version}
            data-current={row.version.version === current || undefined}
          >
            <LineageRail
              row={row}
              lanes={lanes}
              last={i === rows.length - 1}
              current={row.version.version === current}
            />
            <VersionText row={row} current={current} released={released} origin={origin(row)} now={now} />
          </li>
        ))}
      </ol>
      {push !== null && (
        <p className="quiet push" data-testid="push">
          Devices ran a new version {formatMs(push.p50Ms)} after its push (median), 99 % of them within{" "}
          {formatMs(push.p99Ms)}.
        </p>
      )}
      {rows.length > shown && (
        <button type="button" className="more" onClick={() => setShown(shown + 50)}>
          Show {Math.min(50, rows.length - shown)} more of {formatCount(rows.length)}
        </button>
      )}
    </section>
  );
}

function origin(row: LineageRow): string {
  const { roundId, parentVersion } = row.version;
  const from = parentVersion === null ? "published" : `from version ${parentVersion}`;
  return roundId === null ? from : `${from}, round ${roundId}`;
}

interface TextProps {
  readonly row: LineageRow;
  readonly current: number;
  readonly released: number;
  readonly origin: string;
  readonly now: number;
}

function VersionText({ row, current, released, origin: from, now }: TextProps): ReactNode {
  const { version, parent } = row;
  const word = releaseWord(version, released);
  return (
    <div className="version-text">
      <p className="version-head">
        <strong>Version {version.version}</strong>
        {version.version === current && <span className="pill pill-small">current</span>}
        {/* Where the newest is what runs, one word is enough. */}
        {word !== undefined && current !== released && (
          <span className="pill pill-small" data-testid="release-word">
            {word}
          </span>
        )}
        <time dateTime={version.createdAt} title={formatFull(version.createdAt)}>
          {formatAgo(Date.parse(version.createdAt), now)}
        </time>
      </p>
      <Scores version={version} parent={parent} />
      <p className="version-more">
        {from}
        {version.cohort > 0 && `, ${formatCount(version.cohort)} reports`}
      </p>
      {word !== undefined && word !== "released" && (
        <ReleaseButton model={version.model} version={version.version} from={released} />
      )}
      <p className="version-more">
        {formatBytes(version.sizeBytes)} float32, {formatBytes(version.int8SizeBytes)} int8{" "}
        <code title={`SHA-256 of the float32 weights: ${version.weightsDigest}`}>
          {version.weightsDigest.slice(0, 10)}
        </code>
      </p>
    </div>
  );
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
