import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { COMMAND_NAMES } from "../src/commands.ts";
import { EXIT_CODES, exitCodeOf } from "../src/exit-codes.ts";
import { programFor } from "../src/main.ts";
import { failure } from "@tributary/core";
import { runMain } from "./run-main.ts";

const program = await programFor("all");
const leaves = leavesOf(program);

/** Commands that do something, by what is typed for them. */
function leavesOf(command: Command, path: readonly string[] = []): ReadonlyMap<string, Command> {
  const visible = command
    .createHelp()
    .visibleCommands(command)
    .filter((sub) => sub.name() !== "help");
  if (visible.length === 0) return new Map([[path.join(" "), command]]);
  return new Map(visible.flatMap((sub) => [...leavesOf(sub, [...path, sub.name()])]));
}

/** A command's help as it is printed. */
function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({ writeOut: (part) => void (text += part) });
  command.outputHelp();
  return text;
}

/** Lines of a help text that begin with the program's name, without what a shell does with their output. */
const examplesOf = (help: string): string[] =>
  (help.split("\nExamples:\n")[1] ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith("tributary "));

test("the list of commands loads none of them, and says of each what its own help says at length", async () => {
  const brief = await programFor([]);
  expect(brief.commands.map((command) => command.name())).toEqual(
    program.commands.map((command) => command.name()),
  );
  for (const name of COMMAND_NAMES) {
    const command = brief.commands.find((each) => each.name() === name)!;
    expect(command.options, name).toEqual([]);
    expect(command.summary(), name).toMatch(/^[A-Z].*[^.]$/);
  }
});

test.each([...leaves])("%s shows examples that it understands", (path, command) => {
  const examples = examplesOf(helpOf(command));
  expect(examples.length).toBeGreaterThan(0);
  for (const example of examples) {
    for (const words of invocationsOf(example)) {
      const [found, rest] = find(program, words);
      expect(leaves.has(found), `${example}: ${found} is a command`).toBe(true);
      expect(() => understood(leaves.get(found)!, rest), example).not.toThrow();
      if (found === path) return;
    }
  }
  expect.fail(`no example of ${path} is of the command itself`);
});

/** The arguments of each `tributary` of a shell line, as a shell would split them. */
function invocationsOf(line: string): string[][] {
  return line
    .split(/\s*(?:&&|\|)\s*/)
    .map((part) => part.split(/\s[<>]/)[0]!)
    .filter((part) => part.startsWith("tributary "))
    .map((part) =>
      [...part.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)]
        .slice(1)
        .map((match) => match[1] ?? match[2] ?? match[3]!),
    );
}

/** The leaf that words name, and what is left for it. */
function find(command: Command, words: readonly string[], path: readonly string[] = []): [string, string[]] {
  const next = command.commands.find((sub) => sub.name() === words[0]);
  return next === undefined
    ? [path.join(" "), [...words]]
    : find(next, words.slice(1), [...path, next.name()]);
}

/** @throws where an option is unknown, has no value that it takes, or arguments are too few or too many */
function understood(command: Command, words: readonly string[]): void {
  const { operands, unknown } = command.parseOptions([...words]);
  if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(" ")}`);
  const { registeredArguments } = command;
  const needed = registeredArguments.filter(({ required }) => required).length;
  const most = registeredArguments.some(({ variadic }) => variadic) ? Infinity : registeredArguments.length;
  if (operands.length < needed || operands.length > most)
    throw new Error(`${operands.length} arguments, ${needed} to ${most} expected`);
}

test("exit codes tell misuse, an absent coordinator, a refusal and a wrong name apart", async () => {
  expect((await runMain("task", "show")).code).toBe(EXIT_CODES.misuse);
  expect((await runMain("tusk")).code).toBe(EXIT_CODES.misuse);
  expect((await runMain("task", "list", "--url", "http://127.0.0.1:9")).code).toBe(EXIT_CODES.unreachable);
  expect(exitCodeOf(failure("identity/not-authorized", "no"))).toBe(EXIT_CODES.notAllowed);
  expect(exitCodeOf(failure("coordinator/unknown-task", "no"))).toBe(EXIT_CODES.notFound);
  expect(exitCodeOf(failure("store/conflict", "no"))).toBe(EXIT_CODES.failed);
  expect(exitCodeOf(new Error("no"))).toBe(EXIT_CODES.failed);
});

test("completion offers commands, what is within one, and their options", async () => {
  const offered = async (...words: string[]) => (await runMain("complete", "--", ...words)).stdout;
  expect(await offered("ro")).toMatch(/^rollout\t.*\nrollback\t|^rounds\t/m);
  expect(await offered("task", "p")).toMatch(/^pause\t/m);
  expect(await offered("rounds", "digits", "--li")).toMatch(/^--limit\t/m);
  expect((await runMain("completion", "bash")).stdout).toMatch(/complete -F \S+ tributary/);
});

/** The command that words name, however deep, and what comes after them. */
function commandOf(within: Command, words: readonly string[]): { command: Command; rest: readonly string[] } {
  const [word, ...rest] = words;
  const sub = within.commands.find((each) => each.name() === word);
  return sub === undefined ? { command: within, rest: words } : commandOf(sub, rest);
}

test("the commands of the guide to access are there, with the options that it names", () => {
  const file = join(import.meta.dirname, "../../../coordinator/ACCESS.md");
  const guide = readFileSync(file, "utf8").replaceAll("\\\n", " ");
  const lines = [...guide.matchAll(/^npx --yes pnpm@12 tributary (.+)$/gm)].map(([, line]) => line!);
  const named = [...guide.matchAll(/`tributary ([^`]+)`/g)].map(([, line]) => line!);
  expect(lines.length).toBeGreaterThan(6);
  for (const line of [...lines, ...named]) {
    const { command, rest } = commandOf(program, line.split(/\s+/));
    expect(command, line).not.toBe(program);
    const options = command.options.map(({ long }) => long);
    for (const option of rest.filter((word) => word.startsWith("--")))
      expect(options, line).toContain(option);
  }
});
