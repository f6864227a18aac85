import { cursorBefore } from "@tributary/api-client";
import { Option, type Command } from "commander";
import { integerBetween } from "./arguments.ts";

/** What of a list that is read page by page is asked for. */
export interface Paging {
  readonly last: number;
  readonly cursor?: string;
}

/** Adds `--last` and `--cursor`. @param most rows that the coordinator gives at a time */
export function withPaging(command: Command, most: number): Command {
  return command
    .addOption(new Option("--last <n>", "only so many").argParser(integerBetween(1, most)).default(20))
    .option("--cursor <text>", "go on where an earlier answer ended: its next");
}

/** `--before`, of lists that people count; it gives a cursor. */
export function beforeOption(what: string): Option {
  const number = integerBetween(0, Number.MAX_SAFE_INTEGER);
  return new Option("--before <number>", what).argParser((text) => cursorBefore(number(text)));
}

/** Says how to go on, where there is more. */
export function printNext(
  next: string | null,
  option: "--cursor" | "--before" | "--after" = "--cursor",
): void {
  if (next !== null) console.log(`there is more: ${option} ${next}`);
}
