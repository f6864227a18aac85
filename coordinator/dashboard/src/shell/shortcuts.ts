import type { PageEntry } from "../page-entry.ts";

/** What a key does after those before it. */
export type Shortcut =
  | { readonly type: "none" }
  | { readonly type: "begun" }
  | { readonly type: "help" }
  | { readonly type: "page"; readonly path: string };

/** @param began the key before, where a sequence may go on */
export function nextShortcut(
  pages: readonly Pick<PageEntry, "path" | "nav">[],
  began: string | undefined,
  key: string,
): Shortcut {
  if (key === "?") return { type: "help" };
  if (began === "g") {
    const page = pages.find(({ nav }) => nav?.key === key);
    if (page !== undefined) return { type: "page", path: page.path };
  }
  return key === "g" ? { type: "begun" } : { type: "none" };
}
