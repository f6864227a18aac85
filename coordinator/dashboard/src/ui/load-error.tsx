import { publicMessageOf, TributaryError } from "@tributary/api-client";
import type { ReactNode } from "react";
import { WarningIcon } from "./icons.tsx";

/** A list could not be read: what happened, and a way on. */
export function LoadError({
  error,
  retry,
}: {
  readonly error: Error;
  readonly retry: () => void;
}): ReactNode {
  const coded = TributaryError.is(error) ? error : undefined;
  return (
    <div className="load-error" role="alert" data-testid="load-error">
      <WarningIcon />
      <p>
        {coded === undefined ? "The figures could not be read." : publicMessageOf(coded)}
        {coded !== undefined && <code>{coded.code}</code>}
      </p>
      <button type="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}
