import { cursorBefore } from "@tributary/api-client";
import { Option, type Command } from "commander";
import { integerBetween } from "./arguments.ts";

// Lists that are read page by page take the same options: --limit, and --cursor or, where rows have numbers that people know, --before.

/** What is asked for of a list. */
export interface Paging {
  readonly limit: number;
  readonly cursor?: string;
}

/** What is asked for of a list whose rows have numbers. */
export interface NumberedPaging {
  readonly limit: number;
  readonly before?: number;
}

interface Rows {
  /** At a time. */
  readonly most: number;
  /** Where nobody says how many. */
  readonly standard: number;
}

/** Adds `--limit` and `--cursor`. */
export function withPaging(command: Command, rows: Rows): Command {
  return withLimit(command, rows).option("--cursor <text>", "go on where an earlier answer ended: its next");
}

/** Adds `--limit` and `--before`. @param rows.what - what is listed, in the plural */
export function withNumberedPaging(command: Command, rows: Rows & { readonly what: string }): Command {
  return withLimit(command, rows).addOption(
    new Option("--before <number>", `only ${rows.what} before this one`).argParser(
      integerBetween(1, 2 ** 32 - 1),
    ),
  );
}

function withLimit(command: Command, { most, standard }: Rows): Command {
  return command.addOption(
    new Option("--limit <n>", "at most so many").argParser(integerBetween(1, most)).default(standard),
  );
}

/** As the API takes it. */
export function pageOf({
  limit,
  before,
}: {
  readonly limit: number;
  readonly before?: number | undefined;
}): Paging {
  return { limit, ...(before === undefined ? {} : { cursor: cursorBefore(before) }) };
}

/** Says how to go on, where there is more. */
export function printNext(next: string | null, option: "--cursor" | "--before" = "--cursor"): void {
  if (next !== null) console.log(`there is more: ${option} ${next}`);
}
