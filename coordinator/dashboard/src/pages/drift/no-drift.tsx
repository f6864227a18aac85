import type { ReactNode } from "react";
import { CommandLine } from "../../ui/command-line.tsx";
import { Empty } from "../../ui/empty.tsx";

/** No task measures yet: how one begins. */
export function NoDrift({ model = "digits" }: { readonly model?: string | undefined }): ReactNode {
  const document = JSON.stringify({
    name: `${model}-drift`,
    model,
    kind: "telemetry",
    telemetry: ["predictions", "confidence", "labels", "features"],
    pauseBetweenRoundsMs: 3_600_000,
  });
  return (
    <Empty title="Nothing is measured yet" testId="no-drift">
      <p>
        A task of kind <code>telemetry</code> adds up, under masks, what inputs and answers look like on
        devices that consent to it. This one does so once an hour:
      </p>
      <CommandLine command={`printf '%s' '${document}' > drift.json`} />
      <CommandLine command="npx --yes pnpm@12 tributary task create drift.json --reference training.safetensors" />
      <p>
        <code>--reference</code> names examples of what the model was trained on. Without it, the first
        measurement is what later ones are compared with.
      </p>
    </Empty>
  );
}
