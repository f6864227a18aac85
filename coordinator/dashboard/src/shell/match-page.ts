import { matchRoute } from "wouter";
import type { Parser } from "wouter";
import type { PageEntry, PageParams } from "../page-entry.ts";

export interface PageMatch {
  readonly entry: PageEntry;
  readonly params: PageParams;
}

/** The page that an address names; of several the one with the fewest parameters. */
export function matchPage(
  pages: readonly PageEntry[],
  parser: Parser,
  pathname: string,
): PageMatch | undefined {
  const path = withoutEndingSlash(pathname);
  const matches = pages.flatMap((entry): PageMatch[] => {
    const [fits, params] = matchRoute<Record<string, string | undefined>>(parser, entry.path, path);
    return fits ? [{ entry, params: named(params) }] : [];
  });
  return matches.toSorted((a, b) => Object.keys(a.params).length - Object.keys(b.params).length)[0];
}

/** The pages above one, from the outermost: those whose address is a beginning of its own. */
export function pagesAbove(
  pages: readonly PageEntry[],
  parser: Parser,
  pathname: string,
): readonly (PageMatch & { readonly href: string })[] {
  const parts = withoutEndingSlash(pathname).split("/").slice(1);
  const beginnings = parts.slice(0, -1).map((_, i) => `/${parts.slice(0, i + 1).join("/")}`);
  return beginnings.flatMap((href) => {
    const match = matchPage(pages, parser, href);
    return match === undefined ? [] : [{ ...match, href }];
  });
}

function withoutEndingSlash(pathname: string): string {
  return pathname.length > 1 && pathname.endsWith("/") ? pathname.slice(0, -1) : pathname;
}

/** By name only, as people read them. */
function named(params: Readonly<Record<string, string | undefined>>): PageParams {
  return Object.fromEntries(
    Object.entries(params).flatMap(([name, value]) =>
      value === undefined || /^\d+$/.test(name) ? [] : [[name, decoded(value)]],
    ),
  );
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
