import type { ReactNode } from "react";
import { Link, useLocation, useRouter } from "wouter";
import { OVERVIEW } from "../addresses.ts";
import { PAGES } from "../pages.ts";
import { pagesAbove } from "./match-page.ts";

/** Where this page is, and the ways up from it. */
export function Breadcrumbs({ title }: { readonly title: string }): ReactNode {
  const { parser } = useRouter();
  const [pathname] = useLocation();
  const above = pathname === OVERVIEW ? [] : pagesAbove(PAGES, parser, pathname);
  return (
    <nav className="crumbs" aria-label="Breadcrumbs">
      <ol>
        {above.map(({ entry, params, href }) => (
          <li key={href}>
            <Link href={href}>{entry.title(params)}</Link>
          </li>
        ))}
        <li>
          <span aria-current="page">{title}</span>
        </li>
      </ol>
    </nav>
  );
}
