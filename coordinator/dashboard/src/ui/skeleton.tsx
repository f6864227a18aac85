import type { ReactNode } from "react";

/** The page's shape while its first figures are on their way. */
export function PageSkeleton(): ReactNode {
  return (
    <div className="page" aria-busy="true" aria-label="Loading" data-testid="loading">
      <div className="skeleton skeleton-title" />
      <div className="card skeleton-card-tall">
        <div className="skeleton skeleton-line" />
        <div className="skeleton skeleton-block" />
      </div>
      <div className="columns">
        <div className="card skeleton-card">
          <div className="skeleton skeleton-line" />
        </div>
        <div className="card skeleton-card">
          <div className="skeleton skeleton-line" />
        </div>
      </div>
    </div>
  );
}

export function CardSkeleton(): ReactNode {
  return (
    <div aria-busy="true" aria-label="Loading" className="skeleton-lines">
      <div className="skeleton skeleton-line" />
      <div className="skeleton skeleton-line" />
      <div className="skeleton skeleton-line" />
    </div>
  );
}
