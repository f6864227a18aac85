import type { AuditRecordView } from "@tributary/api-client";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatAgo, formatFull } from "../../format/time.ts";
import { auditActor, auditDetail, auditObject, auditSigned } from "../../model/audit-lines.ts";
import { LoadError } from "../../ui/load-error.tsx";
import { OperatorTokenForm } from "../../view/operator-token-form.tsx";
import { CardSkeleton } from "../../ui/skeleton.tsx";

/** Shown at first, and more at a time, up to as many as the coordinator gives at once. */
const FIRST_ROWS = 12;
const MORE_ROWS = 88;
const MOST_ROWS = 500;
/** No event tells of records: they are for operators, the stream is not. */
const EVERY_MS = 5_000;

type Progress = "closed" | "asking" | "open" | { readonly failed: string };

/** What operators did and what was decided without them. The operator's token is asked for the first time. */
export function AuditPage(): ReactNode {
  const { operator } = useDashboard();
  const [progress, setProgress] = useState<Progress>(operator.known ? "open" : "closed");

  const unlock = (token: string): void => {
    operator.audit({ limit: 1 }, token).then(
      () => setProgress("open"),
      (error: unknown) => setProgress({ failed: messageOf(error) }),
    );
  };

  return (
    <div className="page">
      <div className="page-head">
        <h1 id="audit-title">Audit log</h1>
      </div>
      <section className="card stack" aria-labelledby="audit-title" data-testid="audit">
        {progress === "open" ? (
          <Records lost={(error) => setProgress({ failed: messageOf(error) })} />
        ) : (
          <>
            <p className="quiet">What operators did, and what was decided without them.</p>
            {progress === "closed" ? (
              <div>
                <button
                  type="button"
                  className="more audit-show"
                  data-testid="show-audit"
                  onClick={() => setProgress(operator.known ? "open" : "asking")}
                >
                  Show
                </button>
              </div>
            ) : (
              <OperatorTokenForm
                action="Show the log"
                failed={typeof progress === "object" ? progress.failed : undefined}
                onToken={unlock}
                testId="unlock-audit"
              />
            )}
          </>
        )}
      </section>
    </div>
  );
}

function Records({ lost }: { readonly lost: (error: unknown) => void }): ReactNode {
  const { operator } = useDashboard();
  const [limit, setLimit] = useState(FIRST_ROWS);
  const now = useServerNow(5_000);
  const log = useQuery({
    queryKey: ["audit", limit],
    queryFn: () => operator.audit({ limit }),
    refetchInterval: EVERY_MS,
    staleTime: 0,
    retry: false,
    placeholderData: keepPreviousData,
  });
  if (log.data === undefined) {
    return log.isError ? (
      <LoadError error={log.error} retry={() => (operator.known ? void log.refetch() : lost(log.error))} />
    ) : (
      <CardSkeleton />
    );
  }
  const { records, head, signed } = log.data;
  const left = Math.min(head.size, MOST_ROWS) - records.length;
  return (
    <>
      <p className="quiet" data-testid="audit-signed" title={`Hash of the last record: ${head.hash}`}>
        {auditSigned(head, signed)}
      </p>
      <ol className="audit-records">
        {records.map((record) => (
          <AuditRow key={record.index} record={record} now={now} />
        ))}
      </ol>
      {left > 0 && (
        <div>
          <button
            type="button"
            className="more audit-show"
            onClick={() => setLimit(Math.min(MOST_ROWS, limit + MORE_ROWS))}
          >
            Show {Math.min(MORE_ROWS, left)} more of {head.size}
          </button>
        </div>
      )}
    </>
  );
}

function AuditRow({ record, now }: { readonly record: AuditRecordView; readonly now: number }): ReactNode {
  const { index, at, actor, action, object, detail } = record;
  const what = auditObject(object);
  const more = auditDetail(detail);
  return (
    <li className="audit-record" data-testid="audit-row" data-action={action} data-actor={actor.kind}>
      <p className="version-head">
        <code>{action}</code>
        <time dateTime={at} title={formatFull(at)}>
          {formatAgo(Date.parse(at), now)}
        </time>
      </p>
      <p>
        {what !== "" && <strong>{what}</strong>} <span className="quiet">{auditActor(actor)}</span>
      </p>
      <p className="version-more" title={JSON.stringify(detail)}>
        record {index}
        {more !== "" && `: ${more}`}
      </p>
    </li>
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
