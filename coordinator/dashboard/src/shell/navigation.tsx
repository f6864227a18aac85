import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { useDashboard } from "../data/dashboard-context.ts";
import { useCan } from "../data/permissions.ts";
import { NAV_GROUPS, type PageEntry } from "../page-entry.ts";
import { PAGES } from "../pages.ts";
import { OutIcon } from "../ui/icons.tsx";

/** The pages by group; those that whoever looks may not see are left out. */
export function Navigation({ onChoose }: { readonly onChoose?: () => void }): ReactNode {
  const can = useCan();
  const [pathname] = useLocation();
  const { data: status } = useQuery(useDashboard().queries.status());
  const groups = NAV_GROUPS.map((group) => ({
    group,
    entries: PAGES.filter(({ nav, requires, of }) => nav?.group === group && can(requires, of)),
  })).filter(({ entries }) => entries.length > 0);
  return (
    <div className="nav">
      {groups.map(({ group, entries }) => (
        <div className="nav-group" key={group}>
          <p className="nav-title" id={`nav-${group}`}>
            {group}
          </p>
          <ul aria-labelledby={`nav-${group}`}>
            {entries.map((entry) => (
              <NavItem key={entry.path} entry={entry} pathname={pathname} onChoose={onChoose} />
            ))}
          </ul>
        </div>
      ))}
      {typeof status?.demoUrl === "string" && (
        <a className="nav-link nav-out" href={status.demoUrl} target="_blank" rel="noreferrer">
          <OutIcon />
          Demo
        </a>
      )}
    </div>
  );
}

interface ItemProps {
  readonly entry: PageEntry;
  readonly pathname: string;
  readonly onChoose: (() => void) | undefined;
}

function NavItem({ entry: { path, title, nav }, pathname, onChoose }: ItemProps): ReactNode {
  if (nav === undefined) return null;
  const Icon = nav.icon;
  const here = pathname === path;
  return (
    <li>
      <Link
        className="nav-link"
        href={path}
        onClick={() => onChoose?.()}
        aria-current={here ? "page" : undefined}
        data-within={(!here && isWithin(pathname, path)) || undefined}
      >
        <Icon />
        {title({})}
      </Link>
    </li>
  );
}

/** Whether another page of the navigation fits the address no better. */
function isWithin(pathname: string, path: string): boolean {
  const begins = (each: string): boolean => each !== "/" && pathname.startsWith(`${each}/`);
  const longer = PAGES.some(
    (other) =>
      other.nav !== undefined &&
      other.path.length > path.length &&
      (other.path === pathname || begins(other.path)),
  );
  return begins(path) && !longer;
}
