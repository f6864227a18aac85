import { type ReactNode, useState } from "react";

/** A command to run, with a button that copies it. */
export function CommandLine({ command }: { readonly command: string }): ReactNode {
  const [copied, setCopied] = useState(false);
  const clipboard = (navigator as { clipboard?: Clipboard }).clipboard; // missing where the page is no secure context
  return (
    <div className="command">
      <code>{command}</code>
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
