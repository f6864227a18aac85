import { decodeBase64url, decodeUtf8 } from "@tributary/core";

/** Strings, and what opens, closes and separates; numbers and words lie between. */
const PARTS = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/**
 * Whether a header or the claims of a compact JWT name a field twice: readers differ in which of the two they believe, so that one may
 * have checked what another acts on (RFC 7519, 4). False where it is no JWT: that is for its reader to say.
 */
export function hasDuplicateClaims(jwt: string): boolean {
  return jwt
    .split(".")
    .slice(0, 2)
    .some((part) => {
      try {
        return hasDuplicateKeys(decodeUtf8(decodeBase64url(part)));
      } catch {
        return false;
      }
    });
}

/** Of JSON that can be read. */
function hasDuplicateKeys(json: string): boolean {
  JSON.parse(json);
  // Of each object or list that is open: the names so far; null in a list.
  const open: (Set<string> | null)[] = [];
  let text: string | undefined;
  for (const [part] of json.matchAll(PARTS)) {
    const names = open.at(-1);
    if (part === "{") open.push(new Set());
    else if (part === "[") open.push(null);
    else if (part === "}" || part === "]") open.pop();
    else if (part === ":" && names && text !== undefined) {
      if (names.has(text)) return true;
      names.add(text);
    }
    text = part.startsWith('"') ? (JSON.parse(part) as string) : undefined;
  }
  return false;
}
