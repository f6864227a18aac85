import { Component, type ReactNode } from "react";
import { WarningIcon } from "../ui/icons.tsx";

interface Props {
  readonly children: ReactNode;
}

interface State {
  readonly failed: Error | undefined;
}

/** A page that fails takes nothing else with it: it says so, and the ways to the others stay. */
export class PageBoundary extends Component<Props, State> {
  override state: State = { failed: undefined };

  static getDerivedStateFromError(error: unknown): State {
    return { failed: error instanceof Error ? error : new Error(String(error)) };
  }

  override render(): ReactNode {
    const { failed } = this.state;
    if (failed === undefined) return this.props.children;
    return (
      <div className="page">
        <div className="load-error" role="alert" data-testid="page-failed">
          <WarningIcon />
          <p>
            {/* A newer dashboard has other files: what this one would load next is gone. */}
            {isMissingCode(failed)
              ? "The code of this page could not be loaded; the dashboard may have been renewed meanwhile."
              : "This page failed."}
            <code>{failed.message}</code>
          </p>
          <button type="button" onClick={() => location.reload()}>
            Reload
          </button>
        </div>
      </div>
    );
  }
}

function isMissingCode({ message }: Error): boolean {
  return /dynamically imported module|module script|preload/i.test(message);
}
