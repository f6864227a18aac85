import { type ReactNode, useId, useState } from "react";
import { useDashboard } from "../data/dashboard-context.ts";

type Progress = "idle" | "asking" | "releasing" | { readonly failed: string };

/** Moves the channel to a version. The operator's token is asked for the first time. */
export function ReleaseButton({
  model,
  version,
}: {
  readonly model: string;
  readonly version: number;
}): ReactNode {
  const { operator } = useDashboard();
  const [progress, setProgress] = useState<Progress>("idle");
  const [token, setToken] = useState("");
  const field = useId();

  const release = (): void => {
    setProgress("releasing");
    // The stream tells that it is released; nothing is to be done here.
    operator.release(model, version, operator.known ? undefined : token.trim()).then(
      () => setProgress("idle"),
      (error: unknown) => setProgress({ failed: error instanceof Error ? error.message : String(error) }),
    );
  };

  if (progress === "idle" || progress === "releasing") {
    return (
      <button
        type="button"
        className="more"
        disabled={progress === "releasing"}
        data-testid="release"
        onClick={() => (operator.known ? release() : setProgress("asking"))}
      >
        {progress === "releasing" ? "Releasing…" : "Release"}
      </button>
    );
  }
  return (
    <form
      className="release-form"
      onSubmit={(event) => {
        event.preventDefault();
        release();
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
      <button type="submit" className="more" data-testid="confirm-release">
        Release version {version}
      </button>
      {typeof progress === "object" && (
        <p role="alert" className="lost">
          {progress.failed}
        </p>
      )}
    </form>
  );
}
