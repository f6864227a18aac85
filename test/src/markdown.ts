/** One fenced block of a Markdown document. */
export interface FencedBlock {
  readonly language: string;
  readonly text: string;
  /** The heading it stands under. */
  readonly heading: string;
}

export function fencedBlocks(markdown: string): FencedBlock[] {
  const blocks: FencedBlock[] = [];
  let heading = "";
  for (const part of markdown.matchAll(/^#+ (.*)$|^```(\w*)\n([^]*?)^```$/gm)) {
    if (part[1] !== undefined) heading = part[1];
    else blocks.push({ language: part[2]!, text: part[3]!, heading });
  }
  return blocks;
}

/** Targets of links and images that stay within the repository. */
export function relativeLinks(markdown: string): string[] {
  return [...markdown.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** The anchors that a document's headings have, as GitHub and most renderers make them. */
export function anchors(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
