import type { RetentionView } from "@tributary/api-client";

/** A retention rule in a sentence or two. */
export function retentionWords(
  { newest, releasedWithinDays, deleteFiles }: RetentionView["rule"],
  offered: number,
): string {
  const recent =
    releasedWithinDays === 0
      ? ""
      : `, and what a channel pointed to within ${releasedWithinDays === 1 ? "a day" : `${releasedWithinDays} days`}`;
  const files = deleteFiles
    ? "Files of the others are deleted at the next start."
    : "Files of the others stay in the coordinator's folder.";
  return `The ${newest} newest stay${recent}; ${offered} can be downloaded. ${files}`;
}
