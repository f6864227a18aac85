import type { ReactNode } from "react";
import { Link } from "wouter";
import type { Attention } from "../../model/attention.ts";
import { ArrowIcon, CheckIcon, WarningIcon } from "../../ui/icons.tsx";

/** What is wrong, the worst first; or, calmly, that nothing is. */
export function AttentionCard({ found }: { readonly found: readonly Attention[] }): ReactNode {
  if (found.length === 0) {
    return (
      <section className="card all-well" aria-label="State" data-testid="all-is-well">
        <span className="all-well-mark">
          <CheckIcon />
        </span>
        <div>
          <h2>All is well</h2>
          <p className="quiet">Nothing failed, waits for signatures or is about to expire.</p>
        </div>
      </section>
    );
  }
  return (
    <section className="card attention" aria-labelledby="attention-title" data-testid="attention">
      <h2 id="attention-title">
        {found.length === 1 ? "One thing needs a look" : `${found.length} things need a look`}
      </h2>
      <ul>
        {found.map((each) => (
          <li key={each.id} data-tone={each.tone}>
            <Line {...each} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Line({ title, more, href }: Attention): ReactNode {
  const text = (
    <>
      <WarningIcon />
      <span className="attention-text">
        <strong>{title}</strong>
        {more !== undefined && <span className="quiet">{more}</span>}
      </span>
    </>
  );
  if (href === undefined) return <div className="attention-line">{text}</div>;
  return (
    <Link className="attention-line" href={href}>
      {text}
      <ArrowIcon />
    </Link>
  );
}
