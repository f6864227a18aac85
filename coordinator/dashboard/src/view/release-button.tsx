import { type ReactNode, useState } from "react";
import { useDashboard } from "../data/dashboard-context.ts";
import { OperatorTokenForm } from "./operator-token-form.tsx";

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

  const release = (token?: string): void => {
    setProgress("releasing");
    // The stream tells that it is released; nothing is to be done here.
    operator.release(model, version, token).then(
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
    <OperatorTokenForm
      action={`Release version ${version}`}
      failed={typeof progress === "object" ? progress.failed : undefined}
      onToken={release}
      testId="confirm-release"
    />
  );
}
