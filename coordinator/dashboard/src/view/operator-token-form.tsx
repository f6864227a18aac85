import { type ReactNode, useId, useState } from "react";

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
  const field = useId();
  return (
    <form
      className="release-form"
      onSubmit={(event) => {
        event.preventDefault();
        onToken(token.trim());
      }}
    >
      <label htmlFor={field}>
        Operator token, of the file <code>operator-token</code> in the coordinator&apos;s data folder
      </label>
      <input
        id={field}
        type="password"
        autoComplete="off"
        required
        value={token}
        data-testid="operator-token"
        onChange={(event) => setToken(event.target.value)}
      />
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
