import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { LoadError } from "./load-error.tsx";
import { CardSkeleton } from "./skeleton.tsx";

interface Props<Data> {
  readonly query: Pick<UseQueryResult<Data, Error>, "data" | "error" | "isError" | "refetch">;
  /** While it is on its way. @defaultValue three lines */
  readonly loading?: ReactNode;
  readonly children: (data: Data) => ReactNode;
}

/** What was read; until then its shape, and where it could not be read, why and a way on. */
export function Loaded<Data>({ query, loading = <CardSkeleton />, children }: Props<Data>): ReactNode {
  if (query.data !== undefined) return children(query.data);
  if (query.isError) return <LoadError error={query.error!} retry={() => void query.refetch()} />;
  return loading;
}
