import { TributaryError, type SearchKind, type SearchResult } from "@tributary/api-client";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Link, useSearchParams } from "wouter";
import { compareHref, roundHref, taskHref, versionHref } from "../../addresses.ts";
import { useDashboard } from "../../data/dashboard-context.ts";
import { useServerNow } from "../../data/use-server-now.ts";
import { formatLoss, formatShare, NONE } from "../../format/numbers.ts";
import { formatAgo, formatFull } from "../../format/time.ts";
import { comparedName } from "../../model/search-suggestions.ts";
import { CardSkeleton } from "../../ui/skeleton.tsx";
import { LoadError } from "../../ui/load-error.tsx";
import { MoreButton } from "../../ui/more-button.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { QueryBox } from "./query-box.tsx";
import "./search.css";

const KINDS: readonly { readonly kind: SearchKind | ""; readonly title: string }[] = [
  { kind: "", title: "All" },
  { kind: "version", title: "Versions" },
  { kind: "round", title: "Rounds" },
  { kind: "task", title: "Tasks" },
];
const MOST_COMPARED = 6;

/** Versions, rounds and tasks by a query; what is chosen is compared. The address holds the query. */
export function SearchPage(): ReactNode {
  const { queries } = useDashboard();
  const [address, setAddress] = useSearchParams();
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const now = useServerNow(10_000);
  const fields = useQuery(queries.searchFields());
  const query = address.get("query") ?? "";
  const kind = (address.get("kind") ?? "") as SearchKind | "";
  const found = useInfiniteQuery(queries.search(query, kind === "" ? undefined : kind));
  const results = found.data?.pages.flatMap((page) => page.results) ?? [];
  const change = (name: string, value: string): void =>
    setAddress((was) => {
      const next = new URLSearchParams(was);
      if (value === "") next.delete(name);
      else next.set(name, value);
      return next;
    });
  const fault =
    TributaryError.is(found.error) && found.error.code === "search/invalid-query" ? found.error : undefined;
  const toggle = (name: string): void =>
    setChosen((was) => (was.includes(name) ? was.filter((each) => each !== name) : [...was, name]));

  return (
    <div className="page">
      <div className="page-head">
        <h1>Search</h1>
        <CompareChosen chosen={chosen} clear={() => setChosen([])} />
      </div>
      <section className="card stack" data-testid="search">
        <QueryBox
          key={query}
          query={query}
          fields={fields.data ?? []}
          column={fault === undefined ? undefined : Number(fault.detail["column"])}
          problem={fault && `${String(fault.detail["problem"])}${expected(fault.detail["expected"])}`}
          onQuery={(next) => change("query", next)}
        />
        <fieldset className="choices">
          <legend className="visually-hidden">What is looked for</legend>
          {KINDS.map((each) => (
            <label key={each.kind}>
              <input
                type="radio"
                name="kind"
                checked={kind === each.kind}
                onChange={() => change("kind", each.kind)}
              />
              {each.title}
            </label>
          ))}
        </fieldset>
        {found.isError && fault === undefined && (
          <LoadError error={found.error} retry={() => void found.refetch()} />
        )}
        {found.isPending && <CardSkeleton />}
        {found.isSuccess && results.length === 0 && !found.hasNextPage && (
          <p className="quiet" data-testid="nothing-found">
            Nothing is like that. <code>accuracy &gt; 0.9 and strategy = fedAdam</code> asks for versions,
            rounds and tasks alike; <code>phase = abandoned</code> for rounds alone.
          </p>
        )}
        {results.length > 0 && (
          <Table
            wide
            label="What was found"
            columns={columns(now, chosen, toggle)}
            rows={results}
            keyOf={({ kind: type, model, task, version, roundId }) =>
              `${type} ${model} ${task} ${version} ${roundId}`
            }
          />
        )}
        <MoreButton query={found}>{results.length === 0 ? "Look further back" : "Show more"}</MoreButton>
      </section>
    </div>
  );
}

const expected = (what: unknown): string => (typeof what === "string" ? `; expected ${what}` : "");

function CompareChosen({
  chosen,
  clear,
}: {
  readonly chosen: readonly string[];
  readonly clear: () => void;
}): ReactNode {
  if (chosen.length === 0) return <p className="quiet">Choose two to six to compare them.</p>;
  const ready = chosen.length >= 2 && chosen.length <= MOST_COMPARED;
  return (
    <>
      <button type="button" onClick={clear}>
        Clear
      </button>
      {ready ? (
        <Link className="button main" href={compareHref(chosen)} data-testid="compare-chosen">
          Compare {chosen.length}
        </Link>
      ) : (
        <span className="quiet">
          {chosen.length === 1 ? "One more to compare" : `At most ${MOST_COMPARED}`}
        </span>
      )}
    </>
  );
}

function columns(
  now: number,
  chosen: readonly string[],
  toggle: (name: string) => void,
): readonly Column<SearchResult>[] {
  return [
    {
      title: "Name",
      cell: (result) => {
        const name = comparedName(result);
        return (
          <span className="found-name">
            <input
              type="checkbox"
              aria-label={name === undefined ? "Rounds are not compared" : `Compare ${name}`}
              disabled={name === undefined}
              checked={name !== undefined && chosen.includes(name)}
              onChange={() => name !== undefined && toggle(name)}
            />
            <Link className="row-link" href={hrefOf(result)}>
              {name ?? result.roundId}
            </Link>
          </span>
        );
      },
    },
    { title: "Kind", text: true, cell: ({ kind }) => kind },
    { title: "State", text: true, cell: ({ state }) => state },
    { title: "Strategy", text: true, cell: ({ strategy }) => strategy ?? NONE },
    { title: "Accuracy", cell: ({ accuracy }) => formatShare(accuracy) },
    { title: "Loss", cell: ({ loss }) => formatLoss(loss) },
    { title: "Cohort", cell: ({ cohort }) => cohort ?? NONE },
    {
      title: "When",
      cell: ({ at }) => (
        <time dateTime={at} title={formatFull(at)}>
          {formatAgo(Date.parse(at), now)}
        </time>
      ),
    },
  ];
}

function hrefOf({ kind, model, task, version, round }: SearchResult): string {
  if (kind === "round" && task !== null && round !== null) return roundHref(task, round);
  return kind === "task" && task !== null ? taskHref(task) : versionHref(model, version ?? 1);
}
