import fc from "fast-check";
import { expect, test } from "vitest";
import { roundHref, rolloutHref, taskHref } from "../src/addresses.ts";
import { csv } from "../src/format/csv.ts";
import { lazyPage, type PageEntry } from "../src/page-entry.ts";
import { matchPage, pagesAbove } from "../src/shell/match-page.ts";
import { nextShortcut } from "../src/shell/shortcuts.ts";

/** As wouter's own parser reads the patterns of this list: a name for each part behind a colon. */
const parser = (pattern: string) => {
  const keys = [...pattern.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  return { pattern: new RegExp(`^${pattern.replaceAll(/:\w+/g, "([^/]+?)")}/?$`, "i"), keys };
};

const page = (path: string, key?: string): PageEntry =>
  ({
    path,
    title: () => path,
    requires: "view",
    ...(key === undefined ? {} : { nav: { group: "Watch", icon: () => null, key } }),
    page: lazyPage(async () => () => null),
  }) satisfies PageEntry;

const PAGES = [
  page("/", "o"),
  page("/tasks", "t"),
  page("/tasks/:task"),
  page("/tasks/new"),
  page("/tasks/:task/rounds/:round"),
  page("/models"),
  page("/models/:model"),
  page("/models/:model/rollouts/:rollout"),
];

test("an address is of the page that names most of it", () => {
  expect(matchPage(PAGES, parser, "/tasks/new")?.entry.path).toBe("/tasks/new");
  expect(matchPage(PAGES, parser, "/tasks/digits")).toMatchObject({ params: { task: "digits" } });
  expect(matchPage(PAGES, parser, "/tasks/")?.entry.path).toBe("/tasks");
  expect(matchPage(PAGES, parser, "/nothing")).toBeUndefined();
  // No text of an address may break the page.
  expect(matchPage(PAGES, parser, "/tasks/%E0%A4%A")?.params).toEqual({ task: "%E0%A4%A" });
});

test("whatever a thing is called, its address leads to it", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), fc.nat(), (a, b, n) => {
      expect(matchPage([page("/tasks/:task")], parser, taskHref(a))?.params).toEqual({ task: a });
      expect(matchPage(PAGES, parser, roundHref(a, n))?.params).toEqual({ task: a, round: String(n) });
      expect(matchPage(PAGES, parser, rolloutHref(a, b))?.params).toEqual({ model: a, rollout: b });
    }),
  );
});

test("above a page are those whose address is a beginning of its own", () => {
  const above = (path: string) => pagesAbove(PAGES, parser, path).map(({ href }) => href);
  expect(above("/tasks/digits/rounds/7")).toEqual(["/tasks", "/tasks/digits"]);
  expect(above("/models/digits/rollouts/spring")).toEqual(["/models", "/models/digits"]);
  expect(above("/tasks")).toEqual([]);
});

test("two keys lead to a page, and one of them alone does nothing", () => {
  expect(nextShortcut(PAGES, undefined, "g")).toEqual({ type: "begun" });
  expect(nextShortcut(PAGES, "g", "t")).toEqual({ type: "page", path: "/tasks" });
  expect(nextShortcut(PAGES, "g", "x")).toEqual({ type: "none" });
  expect(nextShortcut(PAGES, undefined, "t")).toEqual({ type: "none" });
  expect(nextShortcut(PAGES, "g", "?")).toEqual({ type: "help" });
});

test("figures become a file that a spreadsheet reads, and no formula", () => {
  const columns = [
    { title: "name", value: ({ name }: { name: string }) => name },
    { title: "figure", value: ({ figure }: { figure?: number }) => figure ?? null },
  ];
  const rows = [{ name: 'a "b", c', figure: 0.5 }, { name: "=1+1" } as { name: string; figure: number }];
  expect(csv(columns, rows)).toBe('name,figure\r\n"a ""b"", c",0.5\r\n\'=1+1,\r\n');
});
