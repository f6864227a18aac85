import { AlertDialog } from "@base-ui/react/alert-dialog";
import type { ApiClient } from "@tributary/api-client";
import { type ReactNode, useState } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { type Permission, useCan } from "../data/permissions.ts";
import { OperatorTokenField } from "../view/operator-token-field.tsx";
import { errorWords } from "./error-words.ts";
import { tellDone } from "./notices.ts";

interface Props {
  /** On the button. */
  readonly label: string;
  /** What it will do, and to whom: read before it is done. */
  readonly consequence: ReactNode;
  /** Above it. @defaultValue the label */
  readonly title?: string;
  /** On the button that does it. @defaultValue the label */
  readonly confirm?: string;
  /** It takes something away. */
  readonly hurts?: boolean;
  /** Told when it is done. */
  readonly done: string;
  readonly requires?: Permission;
  /** The model whose things it changes, or all. @defaultValue whoever may of any model is shown it */
  readonly of?: string | undefined;
  readonly disabled?: boolean;
  /** It is known what it will do: before, it is not done. @defaultValue true */
  readonly ready?: boolean;
  /** Of the button; the one that does it has `-confirm` after it. */
  readonly testId: string;
  /** More to fill in. */
  readonly children?: ReactNode;
  readonly run: (api: ApiClient) => Promise<unknown>;
}

/** A button that says what it does, and asks, before it is done. Nothing where whoever looks may not do it. */
export function ActionButton(props: Props): ReactNode {
  const { label, title = label, hurts = false, requires = "operate", of, disabled = false, testId } = props;
  const can = useCan();
  const [open, setOpen] = useState(false);
  if (!can(requires, of)) return null;
  return (
    <AlertDialog.Root open={open} onOpenChange={setOpen}>
      <AlertDialog.Trigger
        className={hurts ? "button hurts" : "button"}
        disabled={disabled}
        data-testid={testId}
        data-requires={requires}
        data-of={of}
      >
        {label}
      </AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        <AlertDialog.Popup className="dialog">
          <AlertDialog.Title className="dialog-title">{title}</AlertDialog.Title>
          <Ask {...props} onDone={() => setOpen(false)} />
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

type Progress = { readonly busy: boolean; readonly failed?: string };

function Ask({
  label,
  confirm = label,
  consequence,
  hurts = false,
  ready = true,
  done,
  testId,
  children,
  run,
  onDone,
}: Props & { readonly onDone: () => void }): ReactNode {
  const { operator } = useDashboard();
  const [token, setToken] = useState("");
  const [{ busy, failed }, setProgress] = useState<Progress>({ busy: false });
  const act = async (): Promise<void> => {
    setProgress({ busy: true });
    try {
      // The stream tells what became of it.
      await operator.run(run, operator.known ? undefined : token.trim());
      tellDone(done);
      onDone();
    } catch (error) {
      setProgress({ busy: false, failed: errorWords(error) });
    }
  };
  return (
    <form
      className="dialog-form"
      onSubmit={(event) => {
        event.preventDefault();
        void act();
      }}
    >
      <AlertDialog.Description className="dialog-text" render={<div />} data-testid={`${testId}-consequence`}>
        {consequence}
      </AlertDialog.Description>
      {children}
      {!operator.known && <OperatorTokenField token={token} onChange={setToken} />}
      {failed !== undefined && (
        <p role="alert" className="dialog-failed">
          {failed}
        </p>
      )}
      <div className="dialog-buttons">
        <AlertDialog.Close className="button" disabled={busy}>
          Leave it
        </AlertDialog.Close>
        <button
          type="submit"
          className={hurts ? "button main hurts" : "button main"}
          disabled={busy || !ready}
          data-testid={`${testId}-confirm`}
        >
          {busy ? "Working…" : confirm}
        </button>
      </div>
    </form>
  );
}
