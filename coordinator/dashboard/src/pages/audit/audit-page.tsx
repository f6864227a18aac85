import type { AuditRecordView, AuditView } from "@tributary/api-client";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useSearchParams } from "wouter";
import { useDashboard } from "../../data/dashboard-context.ts";
import { type Cursor, nextOf } from "../../data/queries.ts";
import { firstModelOf } from "../../data/session.ts";
import { useWhoAmI } from "../../data/session-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatAgo, formatFull } from "../../format/time.ts";
import { auditActor, auditDetail, auditObject, auditSigned } from "../../model/audit-lines.ts";
import { auditFile } from "../../model/audit-file.ts";
import { save } from "../../ui/chart-frame.tsx";
import { Hint } from "../../ui/hint.tsx";
import { LoadError } from "../../ui/load-error.tsx";
import { MoreButton } from "../../ui/more-button.tsx";
import { tellFailed } from "../../ui/notices.ts";
import { OperatorTokenForm } from "../../view/operator-token-form.tsx";
import { CardSkeleton } from "../../ui/skeleton.tsx";
import { AuditFilters } from "./audit-filters.tsx";
import { auditFilter } from "./audit-filter.ts";
import "./audit.css";

const PAGE_SIZE = 100;
/** Events tell of new records; what was missed while there was no connection, and when the head is signed, no event tells. */
const EVERY_MS = 15_000;

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
  const now = useServerNow(5_000);
  const [search] = useSearchParams();
  const who = useWhoAmI();
  const only = who && firstModelOf(who, "audit");
  const asked = auditFilter(search);
  const filter = only === undefined || asked.model !== undefined ? asked : { ...asked, model: only };
  const log = useInfiniteQuery({
    queryKey: ["audit", filter],
    queryFn: ({ pageParam }) =>
      operator.audit({
        ...filter,
        limit: PAGE_SIZE,
        ...(pageParam === undefined ? {} : { cursor: pageParam }),
      }),
    initialPageParam: undefined as Cursor,
    getNextPageParam: nextOf,
    refetchInterval: EVERY_MS,
    staleTime: 0,
    retry: false,
    placeholderData: keepPreviousData,
  });
  const [newest] = log.data?.pages ?? [];
  const records = log.data?.pages.flatMap((page) => page.records) ?? [];
  return (
    <>
      {newest !== undefined && <Signed head={newest.head} signed={newest.signed} />}
      {filter !== asked && (
        <p className="quiet">What is of the model {only}. The whole log is for auditors of all models.</p>
      )}
      <AuditFilters search={search} actions={records.map(({ action }) => action)} />
      {log.isError && (
        <LoadError error={log.error} retry={() => (operator.known ? void log.refetch() : lost(log.error))} />
      )}
      {log.data === undefined && !log.isError && <CardSkeleton />}
      {log.data !== undefined && records.length === 0 && (
        <p className="quiet" data-testid="no-records">
          No record fits.
        </p>
      )}
      <ol className="audit-records">
        {records.map((record) => (
          <AuditRow key={record.index} record={record} now={now} />
        ))}
      </ol>
      <MoreButton query={log}>Show older records</MoreButton>
    </>
  );
}

/** How far the log is signed, and how it is checked and saved. */
function Signed({ head, signed }: Pick<AuditView, "head" | "signed">): ReactNode {
  const { operator } = useDashboard();
  const [saving, setSaving] = useState(false);
  const saveAll = async (): Promise<void> => {
    setSaving(true);
    try {
      await operator.run(async (api) => save("audit-log.jsonl", await auditFile(api), "application/jsonl"));
    } catch (error) {
      tellFailed("The log could not be saved.", error);
    } finally {
      setSaving(false);
    }
  };
  const whole = signed !== null && signed.size === head.size;
  return (
    <div className="audit-head">
      <span className="pill" data-state={whole ? "passed" : "paused"}>
        {whole ? "signed" : "being signed"}
      </span>
      <p className="quiet" data-testid="audit-signed" title={`Hash of the last record: ${head.hash}`}>
        {auditSigned(head, signed)}
      </p>
      <Hint about="verification">
        <p>
          Each record holds the hash of the one before, and the signed timestamp holds the last. Whoever has
          the trusted root checks the whole log with <code>tributary audit verify</code>.
        </p>
      </Hint>
      <button
        type="button"
        className="button"
        disabled={saving}
        data-testid="save-audit"
        onClick={() => void saveAll()}
      >
        {saving ? "Saving…" : "Save the whole log"}
      </button>
    </div>
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
