import type { UseInfiniteQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";

interface Props {
  readonly query: Pick<UseInfiniteQueryResult, "hasNextPage" | "isFetchingNextPage" | "fetchNextPage">;
  /** What it shows: "Show older records". */
  readonly children: ReactNode;
}

/** Reads the next page of a list; nothing where there is none. */
export function MoreButton({
  query: { hasNextPage, isFetchingNextPage, fetchNextPage },
  children,
}: Props): ReactNode {
  if (!hasNextPage) return null;
  return (
    <div>
      <button
        type="button"
        className="more"
        disabled={isFetchingNextPage}
        onClick={() => void fetchNextPage()}
      >
        {isFetchingNextPage ? "Reading…" : children}
      </button>
    </div>
  );
}
