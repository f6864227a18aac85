import type { ReactNode } from "react";
import { ActionButton } from "../../ui/action-button.tsx";

interface Props {
  readonly model: string;
  readonly version: number;
  /** What it points to now. */
  readonly from?: number | undefined;
  /** @defaultValue "stable" */
  readonly channel?: string;
}

/** Moves a channel to a version, after it was asked. */
export function ReleaseButton({ model, version, from, channel = "stable" }: Props): ReactNode {
  return (
    <ActionButton
      label="Release"
      title={`Release version ${version} of ${model}`}
      confirm={`Release version ${version}`}
      consequence={
        <p>
          Channel <strong>{channel}</strong> moves {from === undefined ? "" : `from version ${from} `}to{" "}
          <strong>version {version}</strong>. Devices that are connected load it at once, the others when they
          come back.
        </p>
      }
      done={`Version ${version} is released on ${channel}.`}
      of={model}
      testId="release"
      run={(api) => api.releaseVersion(model, version, { channel })}
    />
  );
}
