import { digestOf, encodeUtf8 } from "@tributary/core";
import type { DelegatedRole } from "./metadata.ts";

/** Whether a delegated role is given a target path (spec 4.5). */
export async function isGiven({ paths }: Pick<DelegatedRole, "paths">, path: string): Promise<boolean> {
  if (paths.kind === "patterns") return paths.patterns.some((pattern) => matchesPattern(pattern, path));
  const hash = await digestOf(encodeUtf8(path));
  return paths.prefixes.some((prefix) => hash.startsWith(prefix));
}

/** PATHPATTERN: `*` is any text, `?` one character, neither crosses a "/". Anything else is itself. */
export function matchesPattern(pattern: string, path: string): boolean {
  const patterns = pattern.split("/");
  const segments = path.split("/");
  return (
    patterns.length === segments.length && patterns.every((each, i) => matchesSegment(each, segments[i]!))
  );
}

/** Goes back to the last `*` where something does not fit: at most pattern times text steps, whatever an attacker writes. */
function matchesSegment(pattern: string, text: string): boolean {
  const wanted = Array.from(pattern);
  const characters = Array.from(text);
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let i = 0; i < characters.length;) {
    if (wanted[at] === "*") {
      star = at++;
      resume = i;
    } else if (at < wanted.length && (wanted[at] === "?" || wanted[at] === characters[i])) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++resume;
    } else {
      return false;
    }
  }
  return wanted.slice(at).every((each) => each === "*");
}
