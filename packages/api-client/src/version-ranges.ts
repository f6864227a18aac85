/** Version numbers as people write them: "version 4", "versions 1 to 3 and 9". @param versions one or more, in any order */
export function versionRanges(versions: readonly number[]): string {
  const ranges: { readonly first: number; last: number }[] = [];
  for (const version of versions.toSorted((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range?.last === version - 1) range.last = version;
    else ranges.push({ first: version, last: version });
  }
  const words = ranges.map(({ first, last }) => (first === last ? String(first) : `${first} to ${last}`));
  const list = words.length === 1 ? words[0]! : `${words.slice(0, -1).join(", ")} and ${words.at(-1)!}`;
  return `${versions.length === 1 ? "version" : "versions"} ${list}`;
}
