import { type ReactNode, useState } from "react";
import { errorWords } from "../../ui/error-words.ts";
import { BrandMark } from "../../ui/icons.tsx";

interface Props {
  readonly title: string;
  /** On the button that sends it; without one there is nothing to send. */
  readonly action?: string;
  readonly run?: () => Promise<void>;
  /** The other way out of it. */
  readonly leave?: { readonly label: string; readonly run: () => void };
  readonly children: ReactNode;
}

/** What stands alone on the page until it is known who looks. */
export function AccessCard({ title, action, run, leave, children }: Props): ReactNode {
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<string>();
  const send = async (): Promise<void> => {
    setBusy(true);
    setFailed(undefined);
    try {
      await run?.();
    } catch (error) {
      setFailed(errorWords(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="access" id="main">
      <p className="brand">
        <BrandMark />
        <span className="brand-name">Tributary</span>
      </p>
      <form
        className="card access-card"
        aria-labelledby="access-title"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <h1 id="access-title">{title}</h1>
        {children}
        {failed !== undefined && (
          <p role="alert" className="dialog-failed">
            {failed}
          </p>
        )}
        {(action !== undefined || leave !== undefined) && (
          <div className="dialog-buttons">
            {leave !== undefined && (
              <button type="button" className="button" data-testid="access-leave" onClick={leave.run}>
                {leave.label}
              </button>
            )}
            {action !== undefined && (
              <button type="submit" className="button main" disabled={busy} data-testid="access-send">
                {busy ? "Working…" : action}
              </button>
            )}
          </div>
        )}
      </form>
    </main>
  );
}
