import { versionRanges } from "./version-ranges.ts";
import type { RetentionPreview } from "./views.ts";

/** What another retention rule does that cannot be taken back, a sentence each; none where it does nothing of the kind. */
export function retentionConsequences(
  model: string,
  { leaving, filesDeletedOf }: RetentionPreview,
): readonly string[] {
  const [verb, them] = leaving.length === 1 ? ["leaves", "it"] : ["leave", "them"];
  return [
    ...(leaving.length === 0
      ? []
      : [
          `${capitalized(versionRanges(leaving))} of ${model} ${verb} the release for good: no device can download ${them} any more.`,
        ]),
    ...(filesDeletedOf.length === 0
      ? []
      : [`Files of ${versionRanges(filesDeletedOf)} are deleted at the coordinator's next start.`]),
  ];
}

function capitalized(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}`;
}
