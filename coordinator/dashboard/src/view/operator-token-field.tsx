import { type ReactNode, useId } from "react";

/** Where the operator's token is typed in, within a form. */
export function OperatorTokenField({
  token,
  onChange,
}: {
  readonly token: string;
  readonly onChange: (token: string) => void;
}): ReactNode {
  const field = useId();
  return (
    <>
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
        onChange={(event) => onChange(event.target.value)}
      />
    </>
  );
}
