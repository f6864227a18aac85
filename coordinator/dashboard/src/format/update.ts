import type { TaskView } from "@tributary/api-client";

/** What devices train and send, where that is not simply the weights: `adapters of rank 8, frozen statistics`. */
export function formatUpdate({ adapters, trainable, batchNormalization }: TaskSpec): string {
  const parts: string[] = [];
  if (adapters !== null) {
    const { rank, alpha = rank, targets, freezeA } = adapters;
    parts.push(
      `adapters of rank ${rank}, alpha ${alpha}, on ${targets.join(", ")}${freezeA ? "" : ", both factors"}`,
    );
  } else if (trainable.join() !== "*") parts.push(trainable.join(", "));
  if (batchNormalization !== "as-exported") parts.push(`batch statistics ${batchNormalization}`);
  return parts.join("; ");
}

type TaskSpec = Pick<TaskView["spec"], "adapters" | "trainable" | "batchNormalization">;
