import { type ReactNode, useState } from "react";

/** A command to run, with a button that copies it. */
export function CommandLine({ command }: { readonly command: string }): ReactNode {
  const [copied, setCopied] = useState(false);
  const clipboard = (navigator as { clipboard?: Clipboard }).clipboard; // missing where the page is no secure context
  return (
    <div className="command">
      {/* Wider than its place, it scrolls: by keyboard too. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <code tabIndex={0}>{command}</code>
      {clipboard !== undefined && (
        <button
          type="button"
          onClick={() => {
            clipboard.writeText(command).then(
              () => setCopied(true),
              () => setCopied(false),
            );
          }}
        >
          {copied ? "Copied" : "Copy"}
        </button>
      )}
    </div>
  );
}
