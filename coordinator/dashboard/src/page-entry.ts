import { type ComponentType, lazy, type LazyExoticComponent } from "react";
import type { ALL_MODELS, Permission } from "./data/permissions.ts";

/** What the address names: `{ task: "digits" }` of `/tasks/:task`. */
export type PageParams = Readonly<Record<string, string>>;

export interface PageProps {
  readonly params: PageParams;
}

export const NAV_GROUPS = ["Watch", "Learn", "Release", "Devices", "Govern"] as const;

/** A page's place in the navigation. */
export interface NavPlace {
  readonly group: (typeof NAV_GROUPS)[number];
  readonly icon: ComponentType;
  /** After `g`, this key goes there. */
  readonly key: string;
}

/** One page of the dashboard. */
export interface PageEntry {
  /** `/tasks/:task`. Where several fit an address, the one with the fewest parameters is taken. */
  readonly path: string;
  /** In the document's title, the breadcrumbs and the navigation. */
  readonly title: (params: PageParams) => string;
  /** Undefined: it is reached from other pages. */
  readonly nav?: NavPlace;
  readonly requires: Permission;
  /** Of all models; else of any is enough. */
  readonly of?: typeof ALL_MODELS;
  readonly page: LazyExoticComponent<ComponentType<PageProps>>;
}

/** A page's code comes when it is first looked at. */
export function lazyPage(
  load: () => Promise<ComponentType<PageProps>>,
): LazyExoticComponent<ComponentType<PageProps>> {
  return lazy(async () => ({ default: await load() }));
}
