import { type ReactNode, useState } from "react";
import { OperatorTokenField } from "./operator-token-field.tsx";

/** Asks for the operator's token. */
export function OperatorTokenForm({
  action,
  failed,
  onToken,
  testId,
}: {
  /** What it is asked for. */
  readonly action: string;
  /** Why it was of no use. */
  readonly failed?: string | undefined;
  readonly onToken: (token: string) => void;
  /** Of the button. */
  readonly testId: string;
}): ReactNode {
  const [token, setToken] = useState("");
  return (
    <form
      className="release-form"
      onSubmit={(event) => {
        event.preventDefault();
        onToken(token.trim());
      }}
    >
      <OperatorTokenField token={token} onChange={setToken} />
      <button type="submit" className="more" data-testid={testId}>
        {action}
      </button>
      {failed !== undefined && (
        <p role="alert" className="lost">
          {failed}
        </p>
      )}
    </form>
  );
}
