import { compareTable, curvesTable, toCsv, type CompareView } from "@tributary/api-client";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link, useSearchParams } from "wouter";
import { SEARCH, taskHref, versionHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { formatFull } from "../../format/time.ts";
import { save } from "../../ui/chart-frame.tsx";
import { Empty } from "../../ui/empty.tsx";
import { Loaded } from "../../ui/loaded.tsx";
import { PageSkeleton } from "../../ui/skeleton.tsx";
import { ComparedCurves } from "./compared-curves.tsx";
import { ComparedMetrics } from "./compared-metrics.tsx";
import { ComparedParameters } from "./compared-parameters.tsx";
import { SubjectPicker } from "./subject-picker.tsx";
import "./compare.css";

/** Two to six tasks or versions side by side. The address names them: `?of=a&of=digits@3`. */
export function ComparePage(): ReactNode {
  const { queries } = useDashboard();
  const [address, setAddress] = useSearchParams();
  const of = address.getAll("of");
  const compared = useQuery({ ...queries.compare(of), enabled: of.length >= 2 });
  const choose = (names: readonly string[]): void =>
    setAddress((was) => {
      const next = new URLSearchParams(was);
      next.delete("of");
      for (const name of names) next.append("of", name);
      return next;
    });
  return (
    <div className="page">
      {of.length >= 2 && (
        <div className="page-head">
          <h1>Compare</h1>
          {compared.data !== undefined && <Saves view={compared.data} />}
        </div>
      )}
      <SubjectPicker chosen={of} onChoose={choose} />
      {of.length < 2 ? (
        <Empty title="Nothing to compare yet" testId="compare-empty">
          <p>
            Name two to six tasks, or versions such as <code>digits@12</code> and <code>digits@champion</code>
            . Or{" "}
            <Link className="row-link" href={SEARCH}>
              search
            </Link>{" "}
            and choose among what is found.
          </p>
        </Empty>
      ) : (
        <Loaded query={compared} loading={<PageSkeleton />}>
          {(view) => (
            <>
              <Subjects view={view} />
              <ComparedMetrics view={view} />
              <ComparedCurves subjects={view.subjects} />
              <ComparedParameters view={view} />
            </>
          )}
        </Loaded>
      )}
    </div>
  );
}

function Saves({ view }: { readonly view: CompareView }): ReactNode {
  return (
    <>
      <button
        type="button"
        data-testid="save-table"
        onClick={() => save("comparison.csv", toCsv(compareTable(view)))}
      >
        Save table
      </button>
      <button type="button" onClick={() => save("curves.csv", toCsv(curvesTable(view)))}>
        Save curves
      </button>
    </>
  );
}

/** Each with its colour, and what it is. */
function Subjects({ view }: { readonly view: CompareView }): ReactNode {
  return (
    <ul className="subjects" aria-label="What is compared">
      {view.subjects.map(({ ref, kind, model, task, version, strategy, at, curve }, i) => (
        <li key={ref} className="subject" data-series={i + 1}>
          <Link
            className="row-link"
            href={kind === "task" && task !== null ? taskHref(task) : versionHref(model, version ?? 1)}
          >
            {ref}
          </Link>
          <span className="quiet">
            {kind === "task"
              ? version === null
                ? "no version yet"
                : `version ${version} of ${model}`
              : (task ?? "published")}
            {strategy !== null && `, ${strategy}`}
            {curve.rounds > 0 && `, ${curve.rounds} rounds`}
          </span>
          <time className="quiet" dateTime={at}>
            {formatFull(at)}
          </time>
        </li>
      ))}
    </ul>
  );
}
