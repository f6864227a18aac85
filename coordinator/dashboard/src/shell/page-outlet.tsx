import { type ReactNode, Suspense } from "react";
import { useCan } from "../data/permissions.ts";
import { Empty } from "../ui/empty.tsx";
import { PageSkeleton } from "../ui/skeleton.tsx";
import type { PageMatch } from "./match-page.ts";
import { PageBoundary } from "./page-boundary.tsx";

interface Props {
  readonly match: PageMatch | undefined;
  readonly pathname: string;
}

/** The page that the address names, as its code comes in. */
export function PageOutlet({ match, pathname }: Props): ReactNode {
  const can = useCan();
  if (match === undefined) {
    return (
      <div className="page">
        <Empty title="No such page" testId="no-such-page">
          <p>
            Nothing is shown at <code>{pathname}</code>. What it named may have another name now.
          </p>
        </Empty>
      </div>
    );
  }
  const { entry, params } = match;
  if (!can(entry.requires, entry.of)) {
    return (
      <div className="page">
        <Empty title="Not for this account" testId="not-allowed">
          <p>Ask whoever runs this coordinator for a role that may see it.</p>
        </Empty>
      </div>
    );
  }
  const Page = entry.page;
  return (
    <PageBoundary key={pathname}>
      <Suspense fallback={<PageSkeleton />}>
        <Page params={params} />
      </Suspense>
    </PageBoundary>
  );
}
